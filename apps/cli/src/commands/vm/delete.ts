import { endWithOperation, type WaitOption } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';
import { describeOperation } from '../operation/describe-operation.js';

export const addVmDelete: AddVerb = (vm, cli) => {
  vm.command('delete')
    .description('Delete a VM and its disks; it is stopped hard if it runs. There is no way back.')
    .argument('<vm>', 'name or id')
    .option('--wait', 'until it is gone')
    .addHelpText('after', examples('kvorum vm delete web-1 --wait'))
    .action(async (nameOrId: string, options: WaitOption) => {
      const client = cli.connect();
      const accepted = await client.vms.delete(await resolveVm(client, nameOrId));
      await endWithOperation(cli, client, accepted, options, (operation) => cli.show(operation, describeOperation));
    });
};
