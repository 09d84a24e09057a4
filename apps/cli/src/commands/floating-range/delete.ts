import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveFloatingRange } from '../../resolve-name.js';

export const addFloatingRangeDelete: AddVerb = (range, cli) => {
  range
    .command('delete')
    .description('Delete a range of which no project has an address')
    .argument('<range>', 'name or id')
    .addHelpText('after', examples('kvorum floating-range delete internet'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      await client.floatingRanges.delete(await resolveFloatingRange(client, nameOrId));
      cli.note(`deleted floating range ${nameOrId}`);
    });
};
