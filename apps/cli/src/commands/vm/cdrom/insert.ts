import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { resolveImage, resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { putIntoDrive } from './put-into-drive.js';

export const addVmCdromInsert: AddVerb = (cdrom, cli) => {
  addUpdateEndOptions(cdrom.command('insert'))
    .description('Put an image into a CD-ROM drive, in place of what lies in it')
    .argument('<vm>', 'name or id')
    .argument('<drive>', 'its name, such as cdrom-1')
    .argument('<image>', 'name or id')
    .addHelpText('after', examples('kvorum vm cdrom insert web-1 cdrom-1 drivers-iso --wait'))
    .action(async (nameOrId: string, drive: string, image: string, options: UpdateEndOptions) => {
      const client = cli.connect();
      const imageId = await resolveImage(client, image);
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      await endWithUpdate(cli, client, putIntoDrive(vm, drive, imageId), options);
    });
};
