import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolvePort } from '../../resolve-name.js';

export const addPortDelete: AddVerb = (port, cli) => {
  port
    .command('delete')
    .description('Delete a port that is for no VM; its address is free then')
    .argument('<port>', 'id, or NETWORK/PORT')
    .addHelpText('after', examples('kvorum port delete shop/web-1'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.ports.delete(await resolvePort(client, nameOrId));
      cli.note(`deleted port ${nameOrId}`);
    });
};
