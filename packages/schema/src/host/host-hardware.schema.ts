import { z } from 'zod';

/** The kernel's list format, as in thread_siblings_list: "0-3,8". Compact, as a large host has hundreds of them. */
const CpuList = z.string().meta({ description: 'Host CPUs in the form of the kernel, such as 0-3,8' });

/** What hardware virtualisation there is, read from flags, modules and their parameters. It proves nothing by itself. */
const HostVirtualisation = z.object({
  technology: z.enum(['vt-x', 'amd-v']).nullable(),
  nestedPaging: z.enum(['ept', 'npt']).nullable(),
  isNestedPagingOn: z.boolean().nullable().meta({ description: 'Module parameter ept or npt; null: not told' }),
  isNestingOn: z
    .boolean()
    .nullable()
    .meta({ description: 'Guests may run guests: module parameter nested; null: not told' }),
  modules: z.array(z.string()).meta({ description: 'KVM modules of the kernel, such as kvm_intel' }),
  isGuest: z.boolean().meta({ description: 'This host is itself a virtual machine' }),
});

const HostCore = z.object({ socketId: z.int(), coreId: z.int(), cpus: CpuList });

const HostCache = z.object({
  level: z.int(),
  type: z.enum(['data', 'instruction', 'unified']),
  sizeBytes: z.int(),
  sharedBy: z.array(CpuList).meta({ description: 'One entry per cache: the CPUs that share it' }),
});

/** The machine itself, below the operating system. */
export const HostHardware = z
  .object({
    virtualisation: HostVirtualisation,
    iommu: z.object({ units: z.array(z.string()), groupCount: z.int() }),
    microcode: z.string().nullable(),
    cores: z.array(HostCore).meta({ description: 'One entry per core; more than one CPU in it are SMT siblings' }),
    caches: z.array(HostCache),
    numaDistances: z
      .array(z.array(z.int()))
      .meta({ description: 'Row and column in the order of numaNodes; 10 is local (ACPI SLIT)' }),
  })
  .meta({ id: 'HostHardware' });
export type HostHardware = z.infer<typeof HostHardware>;
