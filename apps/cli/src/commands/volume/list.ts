import type { VolumesQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveOptional, resolveProject, resolveStoragePool, resolveVm } from '../../resolve-name.js';
import { VOLUME_COLUMNS } from './describe-volume.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly pool?: string;
  readonly vm?: string;
  readonly state?: NonNullable<VolumesQuery['state']>;
}

export const addVolumeList: AddVerb = (volume, cli) => {
  addPageOptions(volume.command('list'))
    .description('List volumes on storage pools, also those in the trash')
    .option('--project <project>', 'name or id')
    .option('--pool <pool>', 'name or id')
    .option('--vm <vm>', 'that this VM has: name or id')
    .option('--state <state>', 'creating, available, updating, trashed or retained')
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const [projectId, poolId, vmId] = await Promise.all([
        resolveOptional(resolveProject, client, options.project),
        resolveOptional(resolveStoragePool, client, options.pool),
        resolveOptional(resolveVm, client, options.vm),
      ]);
      const filter = given({ projectId, poolId, vmId, state: options.state });
      cli.showPage(await readPages(options, (page) => client.volumes.list({ ...filter, ...page })), VOLUME_COLUMNS);
    });
};
