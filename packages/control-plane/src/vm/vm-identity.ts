import { DomainError, type VmFieldChange } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { writeAvailability, writeGroup, writeName } from './update-vm.store.js';

/** What of a VM is no part of its machine: the record has a change of it at once. */
export interface VmIdentity {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly vmGroupId: string | null;
  readonly highAvailability: boolean;
}

export const identityOf = ({ name, labels, vmGroupId, highAvailability }: VmIdentity) => ({
  name,
  labels: { ...labels },
  vmGroupId,
  highAvailability,
});

export function identityChanges(before: VmIdentity, after: VmIdentity): VmFieldChange[] {
  return (['name', 'labels', 'vmGroupId', 'highAvailability'] as const)
    .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
    .map((field) => ({
      field,
      from: before[field],
      to: after[field],
      effect: 'live',
      reason: 'The record has it at once.',
    }));
}

/** The VM's intent is recorded, so its row is locked. Throws already_exists. */
export async function writeIdentity(
  tx: Tx,
  before: VmIdentity & { readonly vmId: string },
  { name, labels, vmGroupId, highAvailability }: VmIdentity,
): Promise<void> {
  const { vmId } = before;
  if (!(await writeName(tx, vmId, { name, labels }))) {
    throw new DomainError('already_exists', `the project has a VM called ${name} already`);
  }
  if (vmGroupId !== before.vmGroupId) await writeGroup(tx, vmId, vmGroupId);
  if (highAvailability !== before.highAvailability) await writeAvailability(tx, vmId, highAvailability);
}
