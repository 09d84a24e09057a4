import { z } from 'zod';
import { StoredErrorShape } from '../errors/problem.schema.js';
import { FlavorId, HostId, ImageId, OperationId, ProjectId, VmGroupId, VmId, VmTemplateId, VolumeId } from '../ids.js';
import { BALLOON_SHARES_DEFAULT, BALLOON_SHARES_MAX, GRACE_MS_DEFAULT, GRACE_MS_MAX } from '../limits.js';
import { Labels, ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';
import { VmCloudInit } from './vm-cloud-init.schema.js';
import { GuestInterface } from './vm-console.schema.js';
import { VmHardware } from './vm-hardware.schema.js';
import { VM_STATES } from './vm-lifecycle.js';
import { VmRunsOn } from './vm-runs-on.schema.js';
import { DiskBytes, MemoryBytes, VcpuCount } from './vm-size.schema.js';

export { DiskBytes, MemoryBytes, VcpuCount };

export const Accelerator = z.enum(['kvm', 'tcg']).meta({
  id: 'Accelerator',
  description: 'kvm: VT-x or AMD-V, proven on the host; tcg: emulation, 10 to 50 times slower',
});
export type Accelerator = z.infer<typeof Accelerator>;

export const VmStateShape = z.enum(VM_STATES).meta({ id: 'VmState' });

const BalloonShares = z.int().min(1).max(BALLOON_SHARES_MAX);

/** What the agent is told; the VM's record says the same in words of its own. */
export const BalloonPolicy = z.strictObject({ minimumBytes: MemoryBytes, shares: BalloonShares });
export type BalloonPolicy = z.infer<typeof BalloonPolicy>;

export const BALLOON_STATUSES = ['active', 'no-driver', 'not-answering', 'disabled'] as const;
export type BalloonStatus = (typeof BALLOON_STATUSES)[number];

export const BalloonRequest = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .meta({ description: 'false: the VM keeps all its memory, whatever the host needs' }),
    minimumBytes: MemoryBytes.optional().meta({
      description: "Never taken below this; default: half the VM's memory. At most the VM's memory",
    }),
    shares: BalloonShares.default(BALLOON_SHARES_DEFAULT).meta({
      description: 'When the host needs memory, who has fewer gives first and gets back last',
    }),
  })
  .refine((balloon) => balloon.enabled || balloon.minimumBytes === undefined, {
    path: ['minimumBytes'],
    error: 'goes with enabled true only',
  })
  .meta({ id: 'BalloonRequest' });
export type BalloonRequest = z.infer<typeof BalloonRequest>;

/** Body of stop and reboot. */
export const StopVmRequest = z
  .strictObject({
    graceMs: z.int().min(0).max(GRACE_MS_MAX).default(GRACE_MS_DEFAULT).meta({
      description: 'How long the guest may take to shut down before it is stopped hard; 0 stops it hard at once',
    }),
  })
  .meta({ id: 'StopVmRequest' });
export type StopVmRequest = z.infer<typeof StopVmRequest>;

export const VmVolume = z
  .object({
    id: VolumeId,
    role: z.enum(['root', 'data']),
    sizeBytes: z.int(),
  })
  .meta({ id: 'VmVolume' });

export const VmConditionKind = z
  .enum([
    'hung',
    'disk-full',
    'disk-failing',
    'cpu-drift',
    'watchdog-expired',
    'tpm-lost',
    'monitor-socket-lost',
    'identity-stale',
    'unexamined',
    'record-unreadable',
  ])
  .meta({
    id: 'VmConditionKind',
    description:
      'hung: the process lives, its monitor does not answer; disk-full, disk-failing: it stands still at a write; cpu-drift: threads of it may run on CPUs they were not promised to, until the next audit puts them back; watchdog-expired: its guest stopped feeding its watchdog; tpm-lost: its TPM ended, a restart gives it one again; monitor-socket-lost: the next agent cannot reach it, a restart helps; identity-stale: a fork whose clock or random numbers are still those of its template; unexamined: the agent cannot find out whether it runs; record-unreadable: a person has to repair what the host remembers of it',
  });

export const VmCondition = z
  .object({
    kind: VmConditionKind,
    since: z.iso.datetime().meta({ description: 'As the agent saw it' }),
    detail: z.string(),
  })
  .meta({ id: 'VmCondition' });
export type VmCondition = z.infer<typeof VmCondition>;

export const Vm = z
  .object({
    id: VmId,
    projectId: ProjectId,
    name: ResourceName,
    state: VmStateShape,
    allowedRequests: z.array(z.string()).meta({ description: 'What may be asked of the VM in its present state' }),
    generation: z.int().meta({ description: 'Counts intents; the ETag of the VM' }),
    epoch: z.int().meta({ description: 'Counts starts; fences earlier runs of the VM' }),
    flavorId: FlavorId,
    imageId: ImageId,
    templateId: VmTemplateId.nullable().meta({ description: 'The template that it was forked of; null: none' }),
    hostId: HostId.nullable(),
    hostName: z.string().nullable(),
    highAvailability: z.boolean().meta({ description: 'Room is kept for it, should its host be lost' }),
    vmGroupId: VmGroupId.nullable().meta({ description: 'By whose rules it is placed; null: it is in no VM group' }),
    vcpuCount: z.int(),
    memoryBytes: z.int(),
    runsOn: VmRunsOn.nullable().meta({ description: 'null: it does not run, or its agent has not said yet' }),
    hardware: VmHardware,
    accelerator: Accelerator.nullable().meta({ description: 'What the VM runs on; null before it was placed' }),
    machineType: z
      .string()
      .nullable()
      .meta({ description: 'The mainboard it has, as its host says; null: not started yet. It stays over restarts' }),
    balloon: z
      .object({
        enabled: z.boolean(),
        minimumBytes: z.int().nullable().meta({ description: 'null: not enabled' }),
        shares: z.int(),
        status: z
          .enum(BALLOON_STATUSES)
          .nullable()
          .meta({
            description:
              'active: the policy may move it; no-driver: the guest has none; not-answering: its driver has fallen silent; ' +
              'null: not looked at since the VM was started',
          }),
        workingSetBytes: z.int().nullable().meta({
          description: 'What the guest cannot do without, as it says itself; null: not known',
        }),
      })
      .meta({
        description: 'How the VM gives memory back when its host is short of it; guest.balloonBytes is what it has now',
      }),
    cloudInit: VmCloudInit.nullable().meta({ description: 'null: it has no seed disk' }),
    pendingChanges: z
      .array(z.object({ field: z.string(), from: z.unknown(), to: z.unknown(), reason: z.string() }))
      .meta({ description: 'What waits for the next start' }),
    volumes: z.array(VmVolume),
    guest: z
      .object({
        agent: z.enum(['unknown', 'absent', 'responding']),
        lastAnswerAt: z.iso.datetime().nullable(),
        balloonBytes: z.int().nullable().meta({ description: 'Memory the guest has now, as its balloon says' }),
        interfaces: z.array(GuestInterface).nullable().meta({
          description: 'Its network interfaces with their addresses, without loopback; null: its agent has not told',
        }),
      })
      .meta({ description: 'What the guest itself says' }),
    conditions: z.array(VmCondition).meta({ description: 'What is wrong with it now; each goes away by itself' }),
    waiting: z
      .object({
        position: z.int().meta({ description: 'Place in the queue of the site, from 1' }),
        priority: z.int(),
        until: z.iso.datetime(),
        reason: z.string().meta({ description: 'Why there was no room when it was last tried' }),
      })
      .nullable()
      .meta({ description: 'It waits for a host with room; null: it has one, or waits no more' }),
    failure: StoredErrorShape.nullable(),
    operationId: OperationId.nullable().meta({ description: 'The operation that owns the present state' }),
    observedAt: z.iso.datetime().nullable(),
    labels: Labels,
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Vm' });
export type Vm = z.infer<typeof Vm>;

export const ListVmsQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  hostId: HostId.optional(),
  vmGroupId: VmGroupId.optional(),
  state: VmStateShape.optional(),
  name: ResourceName.optional(),
});
export type ListVmsQuery = z.infer<typeof ListVmsQuery>;

export const ConsoleQuery = z.object({
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional().meta({
    description: 'Byte to read from; default: the last part of the log',
  }),
});

export const ConsoleLog = z
  .object({
    text: z
      .string()
      .meta({ description: 'Untrusted output of the guest, control characters other than newline and tab removed' }),
    offset: z.int().meta({ description: 'First byte of this part' }),
    nextOffset: z.int().meta({ description: 'Where to go on reading' }),
    sizeBytes: z.int(),
  })
  .meta({ id: 'ConsoleLog' });
export type ConsoleLog = z.infer<typeof ConsoleLog>;
