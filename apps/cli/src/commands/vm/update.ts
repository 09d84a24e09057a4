import type { KvorumClient } from '@kvorum/client';
import { Option } from 'commander';
import { parseByteSize } from '../../byte-size.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { collectLabel, given, parseCount } from '../../option-values.js';
import { resolveVm, resolveVmGroup } from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';
import { addBalloonOptions, type BalloonOptions, balloonOf } from './balloon-options.js';
import { addCloudInitOptions, addSeedOptions, type CloudInitOptions, cloudInitOf } from './cloud-init-options.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from './end-with-update.js';
import { addHardwareOptions, type HardwareOptions, hardwareOf } from './hardware-options.js';

type UpdateOptions = HardwareOptions &
  BalloonOptions &
  CloudInitOptions &
  UpdateEndOptions & {
    readonly name?: string;
    readonly group?: string;
    readonly highAvailability?: 'on' | 'off';
    readonly label?: Record<string, string>;
    readonly vcpus?: number;
    readonly memory?: number;
    readonly rootDisk?: number;
  };

export const addVmUpdate: AddVerb = (vm, cli) => {
  const command = vm
    .command('update')
    .description('Change a VM: at once where its running machine can be changed, otherwise at its next start')
    .argument('<vm>', 'name or id')
    .option('--name <name>', 'another name')
    .option('--group <group>', 'a VM group whose hard rules it keeps where it is; none: out of its group')
    .addOption(new Option('--high-availability <state>', 'is room kept for it?').choices(['on', 'off']))
    .option('--vcpus <count>', 'while it runs: up to --max-vcpus', parseCount)
    .option('--memory <size>', 'while it runs: up to --max-memory', parseByteSize)
    .option('--root-disk <size>', 'of the root disk: larger only', parseByteSize)
    .option('--label <key=value>', 'may be given several times; all that it has: others are taken off', collectLabel);
  const seeded = addSeedOptions(addCloudInitOptions(command), 'no seed disk from its next start on');
  addUpdateEndOptions(addBalloonOptions(addHardwareOptions(seeded)))
    .addHelpText(
      'after',
      examples(
        'kvorum vm update web-1 --vcpus 4 --memory 8GiB --dry-run',
        'kvorum vm update web-1 --vcpus 4 --only-live --wait',
      ),
    )
    .action(async (nameOrId: string, options: UpdateOptions) => {
      const parts = given({
        name: options.name,
        highAvailability: options.highAvailability && options.highAvailability === 'on',
        labels: options.label,
        vcpuCount: options.vcpus,
        memoryBytes: options.memory,
        rootDiskBytes: options.rootDisk,
        balloon: balloonOf(options),
        hardware: hardwareOf(options),
        cloudInit: cloudInitOf(options),
      });
      if (Object.keys(parts).length === 0 && options.group === undefined) {
        throw usageError('nothing is to be changed', 'Say what, such as --vcpus 4; see: kvorum vm update --help');
      }
      const client = cli.connect();
      const body = { ...parts, ...(await groupOf(client, options.group)) };
      await endWithUpdate(cli, client, { vmId: await resolveVm(client, nameOrId), body }, options);
    });
};

/** No group is called `none` here: it is given by its id. */
const groupOf = async (client: KvorumClient, group: string | undefined): Promise<{ vmGroupId?: string | null }> =>
  group === undefined ? {} : { vmGroupId: group === 'none' ? null : await resolveVmGroup(client, group) };
