import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';

export const addLeftoverDelete: AddVerb = (leftover, cli) => {
  leftover
    .command('delete')
    .description('Remove a leftover from its host for good; a VM that the site has not is ended and loses its disks')
    .argument('<leftover>', 'id')
    .addHelpText(
      'after',
      examples('kvorum leftover list', 'kvorum leftover delete 019abc00-0000-7000-8000-000000000000'),
    )
    .action(async (id: string) => {
      await cli.connect().leftovers.delete(id);
      cli.note(`deleted leftover ${id}`);
    });
};
