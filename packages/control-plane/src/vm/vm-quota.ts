import type { Tx } from '../database/database.js';
import { overQuota, QUOTA_AMOUNTS } from '../project/over-quota.js';
import { findProject, takeQuotas, type Usage } from '../project/project.store.js';
import type { VmParts } from './vm-parts.js';

/** What is over quota anyway needs no host. Decided again where it counts, under the project's lock. */
export function requireQuota(parts: VmParts): void {
  const { quota, used } = parts.project;
  const needed = usageOf(parts);
  if (QUOTA_AMOUNTS.some((amount) => used[amount] + needed[amount] > quota[amount])) {
    throw overQuota(parts.project, needed);
  }
}

/** Takes the quota of all these VMs, or throws quota_exceeded that tells of the first. */
export async function takeQuotaFor(tx: Tx, vms: readonly VmParts[]): Promise<void> {
  const byProject = new Map<string, Usage>();
  for (const parts of vms) {
    const { id } = parts.project;
    const sum = byProject.get(id);
    byProject.set(id, sum === undefined ? usageOf(parts) : plus(sum, usageOf(parts)));
  }
  if (await takeQuotas(tx, byProject)) return;
  const [first] = vms;
  if (first === undefined) throw new TypeError('the quota of no VM is always there');
  throw overQuota((await findProject(tx, first.project.id)) ?? first.project, usageOf(first));
}

const plus = (a: Usage, b: Usage): Usage => ({
  vmCount: a.vmCount + b.vmCount,
  vcpuCount: a.vcpuCount + b.vcpuCount,
  memoryBytes: a.memoryBytes + b.memoryBytes,
  diskBytes: a.diskBytes + b.diskBytes,
});

const usageOf = ({ flavor: { vcpuCount, memoryBytes }, diskBytes, pooledDiskBytes }: VmParts): Usage => ({
  vmCount: 1,
  vcpuCount,
  memoryBytes,
  diskBytes: diskBytes + pooledDiskBytes,
});
