import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { changeOfList, wantedDevices } from '../wanted-devices.js';

export const addVmCdromAdd: AddVerb = (cdrom, cli) => {
  addUpdateEndOptions(cdrom.command('add'))
    .description('Add an empty CD-ROM drive, from the next start on')
    .argument('<vm>', 'name or id')
    .argument('<drive>', 'its name, such as cdrom-1')
    .addHelpText('after', examples('kvorum vm cdrom add web-1 cdrom-1 --wait'))
    .action(async (nameOrId: string, name: string, options: UpdateEndOptions) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      await endWithUpdate(cli, client, changeOfList(vm, 'cdroms', [...wantedDevices(vm, 'cdroms'), { name }]), options);
    });
};
