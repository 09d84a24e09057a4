import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveNetwork } from '../../resolve-name.js';

export const addNetworkDelete: AddVerb = (network, cli) => {
  network
    .command('delete')
    .description('Delete a network that has no ports')
    .argument('<network>', 'name or id')
    .addHelpText('after', examples('kvorum network delete shop'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.networks.delete(await resolveNetwork(client, nameOrId));
      cli.note(`deleted network ${nameOrId}`);
    });
};
