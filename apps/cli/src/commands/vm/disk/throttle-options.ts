import type { Command } from 'commander';
import { parseByteSize } from '../../../byte-size.js';
import { given, parseCount } from '../../../option-values.js';

export interface ThrottleOptions {
  readonly iops?: number;
  readonly rate?: number;
}

export const addThrottleOptions = (command: Command): Command =>
  command
    .option('--iops <count>', 'at most so many reads and writes per second', parseCount)
    .option('--rate <size>', 'at most so much per second, such as 50MiB', parseByteSize);

/** Undefined: nothing was said of it. */
export function throttleOf({ iops, rate: bytesPerSecond }: ThrottleOptions) {
  const said = given({ iops, bytesPerSecond });
  return Object.keys(said).length === 0 ? undefined : said;
}
