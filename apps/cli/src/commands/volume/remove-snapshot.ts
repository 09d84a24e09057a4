import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveSnapshot } from '../../resolve-name.js';
import { addVolumeEndOptions, endVolumeVerb, type VolumeEndOptions } from './end-volume-verb.js';

export const addVolumeRemoveSnapshot: AddVerb = (volume, cli) => {
  addVolumeEndOptions(volume.command('remove-snapshot'))
    .description('Delete a snapshot of a volume; clones of it live on')
    .argument('<snapshot>', 'VOLUME/SNAPSHOT, or id')
    .addHelpText('after', examples('kvorum volume remove-snapshot data/before-upgrade --wait'))
    .action(async (snapshot: string, options: VolumeEndOptions) => {
      const client = cli.connect();
      const { id } = await resolveSnapshot(client, snapshot);
      await endVolumeVerb(cli, client, options, (query, call) => client.volumeSnapshots.delete(id, query, call));
    });
};
