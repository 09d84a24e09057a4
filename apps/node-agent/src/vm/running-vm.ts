import { DomainError } from '@kvorum/schema';
import type { LiveVm } from './live-vm.js';
import type { VmDirectory } from './vm-directory.js';

/** The VM as it runs here. Throws `not_found`, or `conflict_state` if it does not run. */
export function runningVm(directory: Pick<VmDirectory, 'find'>, vmId: string): LiveVm {
  const actor = directory.find(vmId);
  if (actor === null || actor.snapshot() === null) throw new DomainError('not_found', 'this host does not know the VM');
  if (actor.live !== null && actor.live.exit === null) return actor.live;
  throw new DomainError('conflict_state', 'the VM does not run: start it first');
}
