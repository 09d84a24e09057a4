import { z } from 'zod';

/** Which host CPUs the vCPUs run on. Part of VmHardware. The words are those of OpenStack Nova. */
export const VmCpuPolicy = z
  .strictObject({
    policy: z.enum(['shared', 'dedicated']).default('shared').meta({
      description:
        'shared: vCPUs take turns on the CPUs that no VM has for itself; dedicated: each vCPU has a host CPU of its own, and nothing else of any VM runs there',
    }),
    smt: z.enum(['prefer', 'require', 'isolate']).default('prefer').meta({
      description:
        'Of dedicated CPUs on a host with SMT. prefer: both threads of a core where there are any; require: only on a host with SMT, cores used whole; isolate: one vCPU per core, its other threads stay idle',
    }),
  })
  .refine(({ policy, smt }) => policy === 'dedicated' || smt === 'prefer', {
    path: ['smt'],
    error: 'goes with the policy dedicated only',
  })
  .meta({ id: 'VmCpuPolicy' });
export type VmCpuPolicy = z.infer<typeof VmCpuPolicy>;
