import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { controlGroupParent } from './leftovers.js';
import type { TestHost } from './site.js';

const ROOT = '/sys/fs/cgroup';

export interface ControlGroupLimits {
  readonly memoryBytes: number;
  /** Of CPU time, the hypervisor's own included. */
  readonly cpuCount: number;
}

/** What the kernel holds a VM's process to, read back from whichever tree is mounted (v2, or v1 by controller). */
export function controlGroupLimits(host: Pick<TestHost, 'stateDir'>, vmId: string): ControlGroupLimits {
  const group = path.join(controlGroupParent(host), vmId);
  const read = (...file: string[]) => readFileSync(path.join(ROOT, ...file), 'utf8');
  if (existsSync(path.join(ROOT, group, 'memory.max'))) {
    const [quotaUs, periodUs] = read(group, 'cpu.max').split(' ').map(Number);
    return { memoryBytes: Number(read(group, 'memory.max')), cpuCount: (quotaUs ?? 0) / (periodUs ?? 1) };
  }
  return {
    memoryBytes: Number(read('memory', group, 'memory.limit_in_bytes')),
    cpuCount: Number(read('cpu', group, 'cpu.cfs_quota_us')) / Number(read('cpu', group, 'cpu.cfs_period_us')),
  };
}
