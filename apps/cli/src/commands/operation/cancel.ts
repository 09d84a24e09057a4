import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeOperation } from './describe-operation.js';

export const addOperationCancel: AddVerb = (operation, cli) => {
  operation
    .command('cancel')
    .description('Cancel an operation: what was done is undone')
    .argument('<operation>', 'id')
    .addHelpText('after', examples('kvorum operation cancel 019a0000-0000-7000-8000-000000000001'))
    .action(async (operationId: string) =>
      cli.show(await cli.connect().operations.cancel(operationId), describeOperation),
    );
};
