import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveNetwork } from '../../resolve-name.js';
import { describeNetwork } from './describe-network.js';

export const addNetworkGet: AddVerb = (network, cli) => {
  network
    .command('get')
    .description('Show a network')
    .argument('<network>', 'name or id')
    .addHelpText('after', examples('kvorum network get shop'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.networks.get(await resolveNetwork(client, nameOrId)), describeNetwork);
    });
};
