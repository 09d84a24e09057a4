import { parseByteSize } from '../../byte-size.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveImage, resolveOptional, resolveProject, resolveStoragePool } from '../../resolve-name.js';
import { addVolumeEndOptions, endVolumeVerb, type VolumeEndOptions } from './end-volume-verb.js';

interface CreateOptions extends VolumeEndOptions {
  readonly pool: string;
  readonly size?: number;
  readonly image?: string;
  readonly project?: string;
}

export const addVolumeCreate: AddVerb = (volume, cli) => {
  addVolumeEndOptions(volume.command('create'))
    .description('Make a volume: empty, or with the content of an image')
    .argument('<name>', 'a DNS label')
    .requiredOption('--pool <pool>', 'where it lies: name or id')
    .option('--size <size>', 'such as 20GiB; needed without an image', parseByteSize)
    .option('--image <image>', 'name or id')
    .option('--project <project>', "name or id; default: the token's")
    .addHelpText('after', examples('kvorum volume create data --pool fast --size 100GiB --wait'))
    .action(async (name: string, options: CreateOptions) => {
      const client = cli.connect();
      const [poolId, imageId, projectId] = await Promise.all([
        resolveStoragePool(client, options.pool),
        resolveOptional(resolveImage, client, options.image),
        resolveOptional(resolveProject, client, options.project),
      ]);
      const from = imageId === undefined ? undefined : { kind: 'image' as const, imageId };
      const body = { name, poolId, ...given({ sizeBytes: options.size, projectId, from }) };
      await endVolumeVerb(cli, client, options, (query, call) => client.volumes.create(body, query, call));
    });
};
