import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeOperation } from './describe-operation.js';

export const addOperationResume: AddVerb = (operation, cli) => {
  operation
    .command('resume')
    .description('Let a stuck operation go on where it stopped, with fresh time limits')
    .argument('<operation>', 'id')
    .addHelpText('after', examples('kvorum operation resume 019a0000-0000-7000-8000-000000000001'))
    .action(async (operationId: string) =>
      cli.show(await cli.connect().operations.resume(operationId), describeOperation),
    );
};
