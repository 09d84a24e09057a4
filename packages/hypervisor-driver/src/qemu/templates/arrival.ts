import { MIB } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import { options, pairs } from '../option-string.js';

/** How a process comes by a guest that ran before. Descriptors, so that its user needs no way to the files. */
export interface Arrival {
  /** Of the file that is the guest's memory. */
  readonly memoryFd: number;
  /** Of the state of its devices. */
  readonly stateFd: number;
  /**
   * `fork`: maps the file privately, and so keeps what it changes to itself; reads the state. `maker`: the file is its memory;
   * writes the state.
   */
  readonly role: 'fork' | 'maker';
}

/** The set by which QEMU knows the file of the state; the first is /dev/kvm's. */
const STATE_SET = 2;
export const STATE_URI = `file:/dev/fdset/${STATE_SET}`;
/** What QEMU calls the memory of a machine that asks for nothing special, and so what it is called in the state. */
const MEMORY_ID = 'pc.ram';

/**
 * A link of /proc leads to the open file itself, past all folders; what is checked is the file's own mode (proc_pid_fd(5)).
 * `rom=off`: the guest may write although the file is read only (qapi/qom.json, MemoryBackendFileProperties).
 */
export function arrivalArguments(launch: LaunchSpec, { memoryFd, stateFd, role }: Arrival): string[] {
  const access = role === 'fork' ? { share: 'off', readonly: 'on', rom: 'off' } : { share: 'on' };
  return [
    '-add-fd',
    pairs({ fd: stateFd, set: STATE_SET }).join(','),
    '-object',
    options('memory-backend-file', {
      id: MEMORY_ID,
      size: `${launch.memoryBytes / MIB}M`,
      'mem-path': `/proc/self/fd/${memoryFd}`,
      ...access,
    }),
    '-machine',
    pairs({ 'memory-backend': MEMORY_ID }).join(','),
    '-incoming',
    'defer',
  ];
}
