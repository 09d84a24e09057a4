import { z } from 'zod';
import { VCPU_COUNT_MAX } from '../limits.js';

/** x86 processors have had one or two threads per core; the four of Xeon Phi have gone with it. */
export const CPU_THREADS_MAX = 2;
/** Boards with more have not been built for x86 servers; QEMU itself sets no bound below the number of vCPUs. */
export const CPU_SOCKETS_MAX = 32;

/**
 * QEMU's models carry a version that fixes their features for ever ("Haswell-v4"); names without one mean another processor
 * with each machine type. `x86-64-v1` to `x86-64-v4` are Kvorum's own, from features that QEMU names (x86-64-level.ts).
 */
export const CpuModel = z
  .string()
  .regex(/^(host|max|[A-Za-z0-9][A-Za-z0-9_-]{0,46}-v[1-9]\d?)$/, {
    error: 'must be host, max, x86-64-v1 to x86-64-v4 or a versioned model of QEMU such as Haswell-v4',
  })
  .meta({
    id: 'CpuModel',
    description:
      'host: all of the processor of its host (kvm); max: all that emulation can do (tcg); x86-64-v2 and the like: a level ' +
      'that most hosts have; else a versioned model of QEMU. What a host can run is in its facts',
  });

export const CpuTopology = z
  .strictObject({
    sockets: z.int().min(1).max(CPU_SOCKETS_MAX),
    cores: z.int().min(1).max(VCPU_COUNT_MAX).meta({ description: 'Per socket' }),
    threads: z.int().min(1).max(CPU_THREADS_MAX).meta({ description: 'Per core' }),
  })
  .meta({ id: 'CpuTopology', description: 'Their product is the number of vCPUs' });
export type CpuTopology = z.infer<typeof CpuTopology>;

/** Which processor the guest sees and how its vCPUs get time on the host. Part of VmHardware. */
export const VmCpu = z
  .strictObject({
    model: CpuModel.nullable().default(null).meta({ description: 'null: host under kvm, max under tcg' }),
    topology: CpuTopology.nullable().default(null).meta({ description: 'null: one socket, a core for each vCPU' }),
    nestedVirtualisation: z.boolean().default(false).meta({
      description: 'The guest may run KVM guests of its own: only on hosts with proven kvm that allow nesting',
    }),
  })
  .meta({ id: 'VmCpu' });
export type VmCpu = z.infer<typeof VmCpu>;

/** Why this topology does not fit so many vCPUs; null: it does. */
export function topologyRefusal(topology: CpuTopology | null, vcpuCount: number): string | null {
  if (topology === null) return null;
  const { sockets, cores, threads } = topology;
  const product = sockets * cores * threads;
  if (product === vcpuCount) return null;
  return `${sockets} sockets with ${cores} cores of ${threads} threads are ${product} vCPUs, and the VM has ${vcpuCount}`;
}
