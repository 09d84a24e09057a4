import type { Command } from 'commander';
import { parseByteSize } from '../../byte-size.js';
import { given, parseCount } from '../../option-values.js';

export interface RoomOptions {
  readonly maxVcpus?: number;
  readonly maxMemory?: number;
}

/** Up to what it can grow while it runs. */
export const addRoomOptions = (command: Command): Command =>
  command
    .option('--max-vcpus <count>', 'up to so many vCPUs can be added while it runs; default: none', parseCount)
    .option('--max-memory <size>', 'up to so much memory can be added while it runs; default: none', parseByteSize);

export const roomOf = ({ maxVcpus: maxVcpuCount, maxMemory: maxMemoryBytes }: RoomOptions) =>
  given({ maxVcpuCount, maxMemoryBytes });
