import { Option } from 'commander';
import { endWithOperation } from '../../await-operation.js';
import type { AddVerb } from '../../cli.js';
import { parseDurationMs } from '../../duration.js';
import { examples } from '../../examples.js';
import { collectLabel, given, parseCount } from '../../option-values.js';
import {
  resolveFlavor,
  resolveHost,
  resolveImage,
  resolveOptional,
  resolveProject,
  resolveVmGroup,
  resolveVmTemplate,
} from '../../resolve-name.js';
import { usageError } from '../../usage-error.js';
import { addBalloonOptions, type BalloonOptions, balloonOf } from './balloon-options.js';
import { addCloudInitOptions, addSeedOptions, type CloudInitOptions, cloudInitOf } from './cloud-init-options.js';
import { describeVm } from './describe-vm.js';
import { addHardwareOptions, type HardwareOptions, hardwareOf } from './hardware-options.js';
import { addNewDeviceOptions, type NewDeviceOptions, newDevicesOf } from './new-device-options.js';

interface CreateOptions extends HardwareOptions, NewDeviceOptions, BalloonOptions, CloudInitOptions {
  readonly flavor?: string;
  readonly image?: string;
  readonly template?: string;
  readonly project?: string;
  readonly accelerator?: 'kvm' | 'tcg';
  readonly host?: string;
  readonly group?: string;
  readonly highAvailability?: boolean;
  readonly start: boolean;
  readonly waitForCapacity?: number;
  readonly priority?: number;
  readonly label?: Record<string, string>;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

export const addVmCreate: AddVerb = (vm, cli) => {
  const command = addBalloonOptions(addHardwareOptions(addNewDeviceOptions(vm.command('create'))));
  addSeedOptions(addCloudInitOptions(command), null)
    .description('Create a VM. Without room for it, it is refused at once, with the reasons, or waits if told to.')
    .argument('<name>', 'a DNS label: a-z, 0-9 and "-"; the guest\'s host name')
    .option('--flavor <flavor>', 'its size: name or id')
    .option('--image <image>', 'the disk it starts from: name or id')
    .option('--template <template>', 'instead of both, go on where it was frozen: name or id')
    .option('--project <project>', "name or id; default: the token's")
    .addOption(new Option('--accelerator <kind>', 'default: what the host offers').choices(['kvm', 'tcg']))
    .option('--host <host>', 'this host or none: name or id (admins)')
    .option('--group <group>', 'a VM group, by whose rules it is placed: name or id')
    .option('--high-availability', 'room is kept for it in its host group, should its host be lost')
    .option('--no-start', 'create it stopped')
    .option('--wait-for-capacity <time>', 'without room, wait for it so long, such as 30m', parseDurationMs)
    .option('--priority <number>', 'of those that wait: 0 to 100, the highest first; default: 0', parseCount)
    .option('--label <key=value>', 'may be given several times', collectLabel)
    .option('--idempotency-key <key>', 'the same key and request again return the first answer')
    .option('--wait', 'until it runs')
    .addHelpText(
      'after',
      examples(
        'kvorum vm create web-1 --flavor small --image debian-13 --wait',
        'kvorum vm create web-2 --flavor small --image debian-13 --network shop --security-group web --wait',
        'kvorum vm create web-3 --flavor small --image debian-13 --network shop --ssh-key ~/.ssh/id_ed25519.pub --user-data web.yaml',
        'kvorum vm create web-4 --template web-warm --network shop --wait',
        'kvorum vm create db-2 --flavor small --image debian-13 --pool fast --disk 100GiB,pool=fast --volume logs --wait',
        'kvorum vm create db-1 --flavor small --image debian-13 --disk 100GiB,serial=data --nic isolated --cdrom drivers-iso',
      ),
    )
    .action(async (name: string, options: CreateOptions) => {
      const client = cli.connect();
      const { label: labels, rootDisk: rootDiskBytes, accelerator, start, idempotencyKey } = options;
      requireBeginning(options);
      const [flavorId, imageId, templateId, projectId, hostId, vmGroupId] = await Promise.all([
        resolveOptional(resolveFlavor, client, options.flavor),
        resolveOptional(resolveImage, client, options.image),
        resolveOptional(resolveVmTemplate, client, options.template),
        resolveOptional(resolveProject, client, options.project),
        resolveOptional(resolveHost, client, options.host),
        resolveOptional(resolveVmGroup, client, options.group),
      ]);
      const balloon = balloonOf(options);
      const hardware = hardwareOf(options, await newDevicesOf(client, options));
      const waitForCapacity = waitOf(options);
      const cloudInit = cloudInitOf(options) ?? undefined;
      const placing = { projectId, hostId, vmGroupId, highAvailability: options.highAvailability, waitForCapacity };
      const beginning = { flavorId, imageId, templateId };
      const optional = given({
        ...beginning,
        ...placing,
        rootDiskBytes,
        accelerator,
        balloon,
        hardware,
        cloudInit,
        labels,
      });
      const body = { name, start, ...optional };
      const accepted = await client.vms.create(body, given({ idempotencyKey }));
      await endWithOperation(cli, client, accepted, options, async () =>
        cli.show(await client.vms.get(accepted.resourceId), describeVm),
      );
    });
};

function requireBeginning({ flavor, image, template }: CreateOptions): void {
  if (template !== undefined || (flavor !== undefined && image !== undefined)) return;
  const lacking = flavor === undefined ? '--flavor' : '--image';
  throw usageError(`${lacking} is not given`, 'Give --flavor and --image, or --template for a fork.');
}

function waitOf({ waitForCapacity: deadlineMs, priority }: CreateOptions) {
  if (deadlineMs !== undefined) return { deadlineMs, ...given({ priority }) };
  if (priority === undefined) return undefined;
  throw usageError('--priority is of VMs that wait', 'Add --wait-for-capacity, such as --wait-for-capacity 30m.');
}
