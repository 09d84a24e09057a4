import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { putIntoDrive } from './put-into-drive.js';

export const addVmCdromEject: AddVerb = (cdrom, cli) => {
  addUpdateEndOptions(cdrom.command('eject'))
    .description('Empty a CD-ROM drive; a guest that has locked it has to let go')
    .argument('<vm>', 'name or id')
    .argument('<drive>', 'its name, such as cdrom-1')
    .addHelpText('after', examples('kvorum vm cdrom eject web-1 cdrom-1 --wait'))
    .action(async (nameOrId: string, drive: string, options: UpdateEndOptions) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      await endWithUpdate(cli, client, putIntoDrive(vm, drive, null), options);
    });
};
