import { DomainError } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { findProject } from '../project/project.store.js';
import { changeHeld, findHostOfVm } from './update-vm.store.js';
import type { VmForIntent } from './vm-intent.store.js';
import { type Held, type HeldDifference, heldDifference, roomFor } from './vm-shape.js';

const AMOUNTS = ['vcpuCount', 'memoryBytes', 'diskBytes'] as const;

/** Takes quota and room for what a VM is to hold more of. Throws quota_exceeded or no_capacity with the figures. */
export async function holdGrowth(tx: Tx, vm: VmForIntent, before: Held, during: Held): Promise<void> {
  const refusal = await changeHeld(tx, vm, before, during);
  if (refusal === 'quota') throw await quotaExceeded(tx, vm, heldDifference(before, during));
  if (refusal === 'host') throw await noCapacity(tx, vm, before, during);
}

async function quotaExceeded(tx: Tx, vm: VmForIntent, needed: HeldDifference): Promise<DomainError> {
  const project = await findProject(tx, vm.projectId);
  if (project === null) throw new TypeError(`project ${vm.projectId} of a VM has a row`);
  const { quota, used } = project;
  const short = AMOUNTS.filter((amount) => needed[amount] > 0 && used[amount] + needed[amount] > quota[amount]);
  const sentence = short.map(
    (amount) => `${amount}: ${used[amount]} of ${quota[amount]} used, ${needed[amount]} more needed`,
  );
  return new DomainError('quota_exceeded', `project ${project.name} has not enough quota (${sentence.join('; ')})`, {
    details: { quota, used, needed: { ...needed }, exceeded: short },
  });
}

async function noCapacity(tx: Tx, vm: VmForIntent, before: Held, during: Held): Promise<DomainError> {
  const host = await findHostOfVm(tx, vm.vmId);
  if (host === null) return new DomainError('no_capacity', 'the VM holds no room on a host');
  const [from, to] = [before, during].map((held) => roomFor(held, vm.accelerator, host.threadsPerCore));
  const sentence = HOST_AMOUNTS.flatMap((amount) => {
    const needed = (to?.[amount] ?? 0) - (from?.[amount] ?? 0);
    return needed <= Math.max(0, host.free[amount])
      ? []
      : [`${amount}: ${needed} more needed, ${host.free[amount]} free`];
  });
  return new DomainError('no_capacity', `the host of the VM has no room for it to grow (${sentence.join('; ')})`, {
    details: { free: { ...host.free }, needed: { ...to } },
  });
}

const HOST_AMOUNTS = [...AMOUNTS, 'dedicatedCpuCount', 'hugePages2MibBytes', 'hugePages1GibBytes'] as const;
