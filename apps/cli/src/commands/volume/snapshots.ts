import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveVm, resolveVolume } from '../../resolve-name.js';
import { SNAPSHOT_COLUMNS } from './describe-volume.js';

export const addVolumeSnapshots: AddVerb = (volume, cli) => {
  addPageOptions(volume.command('snapshots'))
    .description('List snapshots of volumes')
    .argument('[volume]', 'name or id')
    .option('--vm <vm>', 'of the volumes that this VM has now: name or id')
    .addHelpText('after', examples('kvorum volume snapshots data'))
    .action(async (nameOrId: string | undefined, options: PageOptions & { readonly vm?: string }) => {
      const client = cli.connect();
      const volumeId = await resolveOptional(resolveVolume, client, nameOrId);
      const filter = given({ volumeId, vmId: await resolveOptional(resolveVm, client, options.vm) });
      cli.showPage(
        await readPages(options, (page) => client.volumeSnapshots.list({ ...filter, ...page })),
        SNAPSHOT_COLUMNS,
      );
    });
};
