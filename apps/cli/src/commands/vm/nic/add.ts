import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { given } from '../../../option-values.js';
import { resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { changeOfList, wantedDevices } from '../wanted-devices.js';

export const addVmNicAdd: AddVerb = (nic, cli) => {
  addUpdateEndOptions(nic.command('add'))
    .description('Add a network card, at once if the VM runs')
    .argument('<vm>', 'name or id')
    .option('--mac <address>', "such as 02:1a:2b:3c:4d:5e; default: one of the site's own")
    .addHelpText('after', examples('kvorum vm nic add web-1 --wait'))
    .action(async (nameOrId: string, options: UpdateEndOptions & { readonly mac?: string }) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      const added = given({ macAddress: options.mac });
      await endWithUpdate(cli, client, changeOfList(vm, 'nics', [...wantedDevices(vm, 'nics'), added]), options);
    });
};
