import { type Command, InvalidArgumentError } from 'commander';
import { parseByteSize } from '../../byte-size.js';
import { given, parseCount } from '../../option-values.js';
import { partsOf } from './device-parts.js';

interface NewDisk {
  readonly sizeBytes: number;
  readonly serial?: string;
  readonly throttle?: { readonly iops?: number; readonly bytesPerSecond?: number };
}

export interface DiskOptions {
  readonly rootDisk?: number;
  readonly disk?: readonly NewDisk[];
}

/** The disks of a VM that is to be. */
export const addDiskOptions = (command: Command): Command =>
  command
    .option('--root-disk <size>', "size of the root disk, such as 20GiB; default: the flavor's", parseByteSize)
    .option(
      '--disk <size[,serial=text][,iops=count][,rate=size]>',
      'an empty data disk, such as 10GiB or 10GiB,serial=logs; rate: bytes per second; may be given several times',
      collectDisk,
    );

export const dataDisksOf = ({ disk: dataDisks }: DiskOptions) => given({ dataDisks: dataDisks && [...dataDisks] });

function collectDisk(text: string, disks: readonly NewDisk[] = []): readonly NewDisk[] {
  const [size, { serial, iops, rate }] = partsOf(text, ['serial', 'iops', 'rate']);
  if (size === '') throw new InvalidArgumentError('Give a size first, such as 10GiB,serial=logs.');
  const throttle = given({
    iops: iops === undefined ? undefined : parseCount(iops),
    bytesPerSecond: rate === undefined ? undefined : parseByteSize(rate),
  });
  const limits = Object.keys(throttle).length === 0 ? undefined : throttle;
  return [...disks, { sizeBytes: parseByteSize(size), ...given({ serial, throttle: limits }) }];
}
