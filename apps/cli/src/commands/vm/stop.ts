import { endWithOperation } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';
import { describeVm } from './describe-vm.js';
import { addGraceOptions, type GraceOptions, graceOf } from './grace-options.js';

export const addVmStop: AddVerb = (vm, cli) => {
  addGraceOptions(vm.command('stop'))
    .description('Stop a VM: press the power button, and stop it hard when the time is over')
    .argument('<vm>', 'name or id')
    .addHelpText('after', examples('kvorum vm stop web-1 --grace 30s --wait', 'kvorum vm stop web-1 --force'))
    .action(async (nameOrId: string, options: GraceOptions) => {
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      const accepted = await client.vms.stop(vmId, graceOf(options));
      await endWithOperation(cli, client, accepted, options, async () =>
        cli.show(await client.vms.get(vmId), describeVm),
      );
    });
};
