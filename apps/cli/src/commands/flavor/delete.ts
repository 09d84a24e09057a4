import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveFlavor } from '../../resolve-name.js';

export const addFlavorDelete: AddVerb = (flavor, cli) => {
  flavor
    .command('delete')
    .description('Delete a flavor that no VM has')
    .argument('<flavor>', 'name or id')
    .addHelpText('after', examples('kvorum flavor delete small'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.flavors.delete(await resolveFlavor(client, nameOrId));
      cli.note(`deleted flavor ${nameOrId}`);
    });
};
