import { awaitOperation } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { describeOperation } from './describe-operation.js';

export const addOperationWatch: AddVerb = (operation, cli) => {
  operation
    .command('watch')
    .description('Follow an operation to its end; fails if it does')
    .argument('<operation>', 'id')
    .addHelpText('after', examples('kvorum operation watch 019a0000-0000-7000-8000-000000000001'))
    .action(async (operationId: string) => {
      const client = cli.connect();
      const { id, kind } = await client.operations.get(operationId);
      cli.show(await awaitOperation(cli, client, { id, kind }), describeOperation);
    });
};
