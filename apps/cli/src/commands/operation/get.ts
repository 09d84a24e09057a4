import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeOperation } from './describe-operation.js';

export const addOperationGet: AddVerb = (operation, cli) => {
  operation
    .command('get')
    .description('Show an operation with its steps')
    .argument('<operation>', 'id')
    .addHelpText('after', examples('kvorum operation get 019a0000-0000-7000-8000-000000000001'))
    .action(async (operationId: string) =>
      cli.show(await cli.connect().operations.get(operationId), describeOperation),
    );
};
