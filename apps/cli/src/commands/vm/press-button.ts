import type { VmPress } from '@kvorum/client';
import { endWithOperation, type WaitOption } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';
import { describeVm } from './describe-vm.js';

/** The verbs that differ only in which button they press. */
export const pressVerb =
  (button: VmPress, description: string): AddVerb =>
  (vm, cli) => {
    vm.command(button)
      .description(description)
      .argument('<vm>', 'name or id')
      .option('--wait', 'until it is done')
      .addHelpText('after', examples(`kvorum vm ${button} web-1 --wait`))
      .action(async (nameOrId: string, options: WaitOption) => {
        const client = cli.connect();
        const vmId = await resolveVm(client, nameOrId);
        await endWithOperation(cli, client, await client.vms.press(vmId, button), options, async () =>
          cli.show(await client.vms.get(vmId), describeVm),
        );
      });
  };
