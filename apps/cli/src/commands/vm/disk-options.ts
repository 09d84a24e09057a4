import type { KvorumClient } from '@kvorum/client';
import { type Command, InvalidArgumentError } from 'commander';
import { parseByteSize } from '../../byte-size.js';
import { collectText, given, parseCount } from '../../option-values.js';
import { resolveOptional, resolveStoragePool, resolveVolume } from '../../resolve-name.js';
import { partsOf } from './device-parts.js';

interface NewDisk {
  readonly sizeBytes: number;
  readonly serial?: string;
  /** Name or id. */
  readonly pool?: string;
  readonly throttle?: { readonly iops?: number; readonly bytesPerSecond?: number };
}

export interface DiskOptions {
  readonly rootDisk?: number;
  readonly disk?: readonly NewDisk[];
  readonly pool?: string;
  readonly volume?: readonly string[];
}

/** The disks of a VM that is to be. */
export const addDiskOptions = (command: Command): Command =>
  command
    .option('--root-disk <size>', "size of the root disk, such as 20GiB; default: the flavor's", parseByteSize)
    .option(
      '--disk <size[,pool=name][,serial=text][,iops=count][,rate=size]>',
      'an empty data disk, such as 10GiB or 10GiB,pool=fast; rate: bytes per second; may be given several times',
      collectDisk,
    )
    .option('--pool <pool>', 'the storage pool its root disk lies on: name or id; default: the folder of its host')
    .option(
      '--volume <volume>',
      'a volume that no VM has, as a data disk: name or id; may be given several times',
      collectText,
    );

export async function disksOf(client: KvorumClient, { disk = [], pool, volume = [] }: DiskOptions) {
  const made = await Promise.all(
    disk.map(async ({ pool: poolOfDisk, ...rest }) => ({
      ...rest,
      ...given({ poolId: await resolveOptional(resolveStoragePool, client, poolOfDisk) }),
    })),
  );
  const attached = await Promise.all(
    volume.map(async (nameOrId) => {
      const { id, sizeBytes } = await client.volumes.get(await resolveVolume(client, nameOrId));
      return { id, sizeBytes };
    }),
  );
  const dataDisks = [...made, ...attached];
  const poolId = await resolveOptional(resolveStoragePool, client, pool);
  return given({
    dataDisks: dataDisks.length === 0 ? undefined : dataDisks,
    rootDisk: poolId === undefined ? undefined : { poolId },
  });
}

function collectDisk(text: string, disks: readonly NewDisk[] = []): readonly NewDisk[] {
  const [size, { pool, serial, iops, rate }] = partsOf(text, ['pool', 'serial', 'iops', 'rate']);
  if (size === '') throw new InvalidArgumentError('Give a size first, such as 10GiB,serial=logs.');
  const throttle = given({
    iops: iops === undefined ? undefined : parseCount(iops),
    bytesPerSecond: rate === undefined ? undefined : parseByteSize(rate),
  });
  const limits = Object.keys(throttle).length === 0 ? undefined : throttle;
  return [...disks, { sizeBytes: parseByteSize(size), ...given({ pool, serial, throttle: limits }) }];
}
