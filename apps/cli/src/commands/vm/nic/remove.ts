import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { changeOfList, findDevice, wantedDevices } from '../wanted-devices.js';

export const addVmNicRemove: AddVerb = (nic, cli) => {
  addUpdateEndOptions(nic.command('remove'))
    .description('Remove a network card; a guest that runs has to let go of it')
    .argument('<vm>', 'name or id')
    .argument('<nic>', 'id or the beginning of it')
    .addHelpText('after', examples('kvorum vm nic remove web-1 019a7c3e-5b1d-7000-8000-5f2c --wait'))
    .action(async (nameOrId: string, nicId: string, options: UpdateEndOptions) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      const nics = wantedDevices(vm, 'nics');
      const { id } = findDevice(nics, 'nic', nicId);
      const change = changeOfList(
        vm,
        'nics',
        nics.filter((entry) => entry.id !== id),
      );
      await endWithUpdate(cli, client, change, options);
    });
};
