import { parseByteSize } from '../../../byte-size.js';
import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { given } from '../../../option-values.js';
import { resolveOptional, resolveStoragePool, resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { changeOfList, wantedDevices } from '../wanted-devices.js';
import { addThrottleOptions, type ThrottleOptions, throttleOf } from './throttle-options.js';

type AddOptions = UpdateEndOptions &
  ThrottleOptions & { readonly size: number; readonly serial?: string; readonly pool?: string };

export const addVmDiskAdd: AddVerb = (disk, cli) => {
  addUpdateEndOptions(addThrottleOptions(disk.command('add')))
    .description('Add an empty data disk, at once if the VM runs')
    .argument('<vm>', 'name or id')
    .requiredOption('--size <size>', 'such as 20GiB', parseByteSize)
    .option('--pool <pool>', 'the storage pool it lies on: name or id; default: the folder of the host')
    .option('--serial <serial>', "what the guest reads of it; default: the beginning of the disk's id")
    .addHelpText('after', examples('kvorum vm disk add web-1 --size 20GiB --wait'))
    .action(async (nameOrId: string, options: AddOptions) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      const poolId = await resolveOptional(resolveStoragePool, client, options.pool);
      const { size: sizeBytes, serial } = options;
      const added = { sizeBytes, ...given({ poolId, serial, throttle: throttleOf(options) }) };
      const change = changeOfList(vm, 'dataDisks', [...wantedDevices(vm, 'dataDisks'), added]);
      await endWithUpdate(cli, client, change, options);
    });
};
