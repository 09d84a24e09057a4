import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveFloatingRange } from '../../resolve-name.js';
import { describeFloatingRange } from './describe-floating-range.js';

export const addFloatingRangeGet: AddVerb = (range, cli) => {
  range
    .command('get')
    .description('Show a range of floating addresses')
    .argument('<range>', 'name or id')
    .addHelpText('after', examples('kvorum floating-range get internet'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      cli.show(await client.floatingRanges.get(await resolveFloatingRange(client, nameOrId)), describeFloatingRange);
    });
};
