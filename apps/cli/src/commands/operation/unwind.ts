import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeOperation } from './describe-operation.js';

export const addOperationUnwind: AddVerb = (operation, cli) => {
  operation
    .command('unwind')
    .description('Undo what a stuck or running operation has done')
    .argument('<operation>', 'id')
    .addHelpText('after', examples('kvorum operation unwind 019a0000-0000-7000-8000-000000000001'))
    .action(async (operationId: string) =>
      cli.show(await cli.connect().operations.unwind(operationId), describeOperation),
    );
};
