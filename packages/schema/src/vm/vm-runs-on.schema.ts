import { z } from 'zod';

/** Which part of its host a running VM was given, as the agent says. */
export const VmRunsOn = z
  .object({
    vcpuCpus: z
      .array(z.int())
      .meta({ description: 'The host CPU of each vCPU, in order; empty: they share otherCpus' }),
    otherCpus: z
      .string()
      .meta({ description: 'Where all its other threads run, in the form of the kernel, such as 0-3,8' }),
    memoryNodes: z
      .array(z.int())
      .meta({ description: "The host's NUMA node of each of the guest's, in order; empty: not bound" }),
    memoryOverhead: z
      .object({
        promisedBytes: z.int(),
        measuredBytes: z.int().nullable().meta({ description: 'null: not measured yet' }),
      })
      .meta({ description: "What the hypervisor takes of the host beyond the guest's memory" }),
  })
  .meta({ id: 'VmRunsOn' });
export type VmRunsOn = z.infer<typeof VmRunsOn>;
