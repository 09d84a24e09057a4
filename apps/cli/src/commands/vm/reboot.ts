import { endWithOperation } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';
import { describeVm } from './describe-vm.js';
import { addGraceOptions, type GraceOptions, graceOf } from './grace-options.js';

export const addVmReboot: AddVerb = (vm, cli) => {
  addGraceOptions(vm.command('reboot'))
    .description('Shut the guest down and start it again')
    .argument('<vm>', 'name or id')
    .addHelpText('after', examples('kvorum vm reboot web-1 --grace 30s --wait', 'kvorum vm reboot web-1 --force'))
    .action(async (nameOrId: string, options: GraceOptions) => {
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      const accepted = await client.vms.reboot(vmId, graceOf(options));
      await endWithOperation(cli, client, accepted, options, async () =>
        cli.show(await client.vms.get(vmId), describeVm),
      );
    });
};
