import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { changeOfList, findDevice, wantedDevices } from '../wanted-devices.js';

export const addVmDiskRemove: AddVerb = (disk, cli) => {
  addUpdateEndOptions(disk.command('remove'))
    .description(
      'Remove a data disk with what is on it, or detach one that lies on a pool; a guest that runs has to let go of it',
    )
    .argument('<vm>', 'name or id')
    .argument('<disk>', 'id or the beginning of it')
    .addHelpText('after', examples('kvorum vm disk remove web-1 019a7c3e-5b1d-7000-8000-5f2c --wait'))
    .action(async (nameOrId: string, diskId: string, options: UpdateEndOptions) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      const disks = wantedDevices(vm, 'dataDisks');
      const { id } = findDevice(disks, 'disk', diskId);
      const change = changeOfList(
        vm,
        'dataDisks',
        disks.filter((entry) => entry.id !== id),
      );
      await endWithUpdate(cli, client, change, options);
    });
};
