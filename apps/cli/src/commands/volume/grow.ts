import { parseByteSize } from '../../byte-size.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVolume } from '../../resolve-name.js';
import { addVolumeEndOptions, endVolumeVerb, type VolumeEndOptions } from './end-volume-verb.js';

export const addVolumeGrow: AddVerb = (volume, cli) => {
  addVolumeEndOptions(volume.command('grow'))
    .description('Make a volume larger; a guest that runs with it sees it at once')
    .argument('<volume>', 'name or id')
    .argument('<size>', 'such as 200GiB', parseByteSize)
    .addHelpText('after', examples('kvorum volume grow data 200GiB --wait'))
    .action(async (nameOrId: string, sizeBytes: number, options: VolumeEndOptions) => {
      const client = cli.connect();
      const volumeId = await resolveVolume(client, nameOrId);
      await endVolumeVerb(cli, client, options, (query, call) => client.volumes.grow(volumeId, sizeBytes, query, call));
    });
};
