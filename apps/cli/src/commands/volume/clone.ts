import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveSnapshot } from '../../resolve-name.js';
import { addVolumeEndOptions, endVolumeVerb, type VolumeEndOptions } from './end-volume-verb.js';

export const addVolumeClone: AddVerb = (volume, cli) => {
  addVolumeEndOptions(volume.command('clone'))
    .description('Make a volume with the content of a snapshot: linked, sharing what neither changes, unless --full')
    .argument('<snapshot>', 'VOLUME/SNAPSHOT, or id')
    .argument('<name>', 'of the clone, a DNS label')
    .option('--full', 'a copy of its own')
    .addHelpText('after', examples('kvorum volume clone data/before-upgrade data-test --wait'))
    .action(async (snapshot: string, name: string, options: VolumeEndOptions & { readonly full?: boolean }) => {
      const client = cli.connect();
      const { id: snapshotId, projectId } = await resolveSnapshot(client, snapshot);
      const mode = options.full === true ? ('full' as const) : ('linked' as const);
      const body = { name, projectId, from: { kind: 'snapshot' as const, snapshotId, mode } };
      await endVolumeVerb(cli, client, options, (query, call) => client.volumes.create(body, query, call));
    });
};
