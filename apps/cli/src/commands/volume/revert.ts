import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveSnapshot } from '../../resolve-name.js';
import { addVolumeEndOptions, endVolumeVerb, type VolumeEndOptions } from './end-volume-verb.js';

export const addVolumeRevert: AddVerb = (volume, cli) => {
  addVolumeEndOptions(volume.command('revert'))
    .description(
      'Give a volume the content and size of a snapshot; what was written since is lost. Its VM must be stopped.',
    )
    .argument('<snapshot>', 'VOLUME/SNAPSHOT, or id')
    .addHelpText('after', examples('kvorum volume revert data/before-upgrade --wait'))
    .action(async (snapshot: string, options: VolumeEndOptions) => {
      const client = cli.connect();
      const { id } = await resolveSnapshot(client, snapshot);
      await endVolumeVerb(cli, client, options, (query, call) => client.volumeSnapshots.revert(id, query, call));
    });
};
