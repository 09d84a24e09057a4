import { Option } from 'commander';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { given } from '../../option-values.js';
import { resolveVm, resolveVolume } from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';
import { addVolumeEndOptions, endVolumeVerb, type VolumeEndOptions } from './end-volume-verb.js';

interface SnapshotOptions extends VolumeEndOptions {
  readonly vm?: string;
  readonly freeze: 'auto' | 'required' | 'never';
}

export const addVolumeSnapshot: AddVerb = (volume, cli) => {
  addVolumeEndOptions(volume.command('snapshot'))
    .description('Take snapshots of volumes, all at one instant')
    .argument('<name>', 'of the snapshots, a DNS label')
    .argument('[volumes...]', 'of one VM: names or ids')
    .option('--vm <vm>', 'all volumes of this VM that lie on pools: name or id')
    .addOption(
      new Option('--freeze <when>', 'have the guest halt its file systems meanwhile')
        .choices(['auto', 'required', 'never'])
        .default('auto'),
    )
    .addHelpText(
      'after',
      examples(
        'kvorum volume snapshot before-upgrade --vm web-1 --freeze required --wait',
        'kvorum volume snapshot monday data logs --wait',
      ),
    )
    .action(async (name: string, volumes: readonly string[], options: SnapshotOptions) => {
      if ((options.vm === undefined) === (volumes.length === 0)) {
        throw usageError('which volumes is not said', 'Name volumes, or give --vm, and not both.');
      }
      const client = cli.connect();
      const vmId = options.vm === undefined ? undefined : await resolveVm(client, options.vm);
      const ids = await Promise.all(volumes.map((nameOrId) => resolveVolume(client, nameOrId)));
      const volumeIds = ids.length === 0 ? undefined : ids;
      const body = { name, freeze: options.freeze, ...given({ vmId, volumeIds }) };
      await endVolumeVerb(cli, client, options, (query, call) => client.volumeSnapshots.create(body, query, call));
    });
};
