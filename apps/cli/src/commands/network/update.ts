import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveNetwork } from '../../resolve-name.js';
import { describeNetwork } from './describe-network.js';

interface UpdateOptions {
  readonly name?: string;
  readonly domain?: string;
}

export const addNetworkUpdate: AddVerb = (network, cli) => {
  network
    .command('update')
    .description('Change the name of a network, or the domain of its ports')
    .argument('<network>', 'name or id')
    .option('--name <name>', 'a DNS label')
    .option('--domain <domain>', 'such as shop.internal')
    .addHelpText('after', examples('kvorum network update shop --domain shop.example.org'))
    .action(async (nameOrId: string, { name, domain: dnsDomain }: UpdateOptions) => {
      const client = cli.connect();
      const networkId = await resolveNetwork(client, nameOrId);
      cli.show(await client.networks.update(networkId, given({ name, dnsDomain })), describeNetwork);
    });
};
