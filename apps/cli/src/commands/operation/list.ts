import type { OperationsQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject, resolveVm } from '../../resolve-name.js';
import { OPERATION_COLUMNS } from './describe-operation.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly vm?: string;
  readonly state?: NonNullable<OperationsQuery['state']>;
  readonly kind?: NonNullable<OperationsQuery['kind']>;
}

export const addOperationList: AddVerb = (operation, cli) => {
  addPageOptions(operation.command('list'))
    .description('List operations, newest last')
    .option('--project <project>', 'name or id')
    .option('--vm <vm>', 'of this VM: name or id')
    .option('--state <state>', 'such as running or stuck')
    .option('--kind <kind>', 'such as vm.create')
    .addHelpText('after', examples('kvorum operation list --state stuck', 'kvorum operation list --vm web-1'))
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const filter = given({
        projectId: await resolveOptional(resolveProject, client, options.project),
        resourceId: await resolveOptional(resolveVm, client, options.vm),
        state: options.state,
        kind: options.kind,
      });
      cli.showPage(
        await readPages(options, (page) => client.operations.list({ ...filter, ...page })),
        OPERATION_COLUMNS,
      );
    });
};
