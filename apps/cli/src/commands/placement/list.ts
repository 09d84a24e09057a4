import type { PlacementsQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject, resolveVm } from '../../resolve-name.js';
import { PLACEMENT_COLUMNS } from './describe-placement.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly vm?: string;
  readonly outcome?: NonNullable<PlacementsQuery['outcome']>;
}

export const addPlacementList: AddVerb = (placement, cli) => {
  addPageOptions(placement.command('list'))
    .description('List decisions of the scheduler, newest first')
    .option('--project <project>', 'name or id')
    .option('--vm <vm>', 'of this VM: name or id')
    .option('--outcome <outcome>', 'placed or refused')
    .addHelpText('after', examples('kvorum placement list --outcome refused --limit 10'))
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const filter = given({
        projectId: await resolveOptional(resolveProject, client, options.project),
        vmId: await resolveOptional(resolveVm, client, options.vm),
        outcome: options.outcome,
      });
      cli.showPage(
        await readPages(options, (page) => client.placements.list({ ...filter, ...page })),
        PLACEMENT_COLUMNS,
      );
    });
};
