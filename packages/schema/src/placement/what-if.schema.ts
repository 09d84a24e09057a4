import { z } from 'zod';
import { FlavorId, HostId, VmGroupId, VmId } from '../ids.js';
import { Accelerator, DiskBytes } from '../vm/vm.schema.js';
import { VmHardware } from '../vm/vm-hardware.schema.js';
import { PlacementDecision } from './placement.schema.js';

/** VMs of one question. More of them are a question about capacity. */
export const SIMULATED_VM_COUNT_MAX = 100;
export const PLANNED_MOVE_COUNT_MAX = 500;

const SimulatedVm = z
  .strictObject({
    flavorId: FlavorId,
    rootDiskBytes: DiskBytes.optional().meta({ description: "Defaults to the flavor's" }),
    accelerator: Accelerator.optional(),
    hardware: VmHardware.prefault({}),
    hostId: HostId.optional().meta({ description: 'Only this host; needs a token for the whole site' }),
    highAvailability: z.boolean().optional().meta({ description: 'Default: false' }),
    vmGroupId: VmGroupId.optional().meta({ description: 'They would be in this VM group' }),
    count: z.int().min(1).max(SIMULATED_VM_COUNT_MAX).default(1),
  })
  .meta({ id: 'SimulatedVm' });

export const SimulatePlacementRequest = z
  .strictObject({
    vms: z.array(SimulatedVm).min(1).max(SIMULATED_VM_COUNT_MAX),
    mode: z.enum(['all-or-nothing', 'best-effort']).default('best-effort'),
  })
  .refine(({ vms }) => vms.reduce((sum, { count }) => sum + count, 0) <= SIMULATED_VM_COUNT_MAX, {
    path: ['vms'],
    error: `must be at most ${SIMULATED_VM_COUNT_MAX} VMs together`,
  })
  .meta({ id: 'SimulatePlacementRequest' });
export type SimulatePlacementRequest = z.infer<typeof SimulatePlacementRequest>;

export const SimulatedPlacement = z
  .object({
    outcome: z.enum(['placed', 'partial', 'refused']),
    decisions: z.array(PlacementDecision).meta({ description: 'One per VM, in the order of the request' }),
  })
  .meta({ id: 'SimulatedPlacement', description: 'What would be decided now; nothing is reserved' });
export type SimulatedPlacement = z.infer<typeof SimulatedPlacement>;

const DomainLevel = z.enum(['zone', 'rack']);

export const CapacityQuery = z.object({
  flavorId: FlavorId,
  accelerator: Accelerator.optional(),
  level: DomainLevel.default('zone'),
});
export type CapacityQuery = z.infer<typeof CapacityQuery>;

export const Capacity = z
  .object({
    flavorId: FlavorId,
    count: z.int().meta({ description: 'So many more VMs of the flavor fit, all of them together' }),
    isAtLeast: z.boolean().meta({ description: 'true: counting ended at a bound, and there may be room for more' }),
    level: DomainLevel,
    domains: z.array(
      z.object({
        name: z.string().nullable().meta({ description: 'null: hosts without a label of this level' }),
        count: z.int(),
      }),
    ),
  })
  .meta({ id: 'Capacity' });
export type Capacity = z.infer<typeof Capacity>;

export const SimulateFailureRequest = z
  .strictObject({
    level: z.enum(['host', 'rack', 'zone']),
    name: z.string().min(1).max(255).meta({ description: 'Of the rack or zone; of a host its id' }),
  })
  .meta({ id: 'SimulateFailureRequest' });
export type SimulateFailureRequest = z.infer<typeof SimulateFailureRequest>;

const NamedHost = z.object({ hostId: HostId, hostName: z.string() });

export const SimulatedFailure = z
  .object({
    lostHosts: z.array(NamedHost),
    restarts: z.array(
      z.object({
        vmId: VmId,
        vmName: z.string(),
        fromHostId: HostId,
        isHighlyAvailable: z.boolean(),
        toHostId: HostId,
        toHostName: z.string(),
      }),
    ),
    stranded: z.array(
      z.object({
        vmId: VmId,
        vmName: z.string(),
        fromHostId: HostId,
        isHighlyAvailable: z.boolean(),
        reason: z.string(),
      }),
    ),
  })
  .meta({
    id: 'SimulatedFailure',
    description:
      'Which running VMs would find room elsewhere: highly available ones first, inside their host group if that has a reserve; the largest first. Room alone: where disks are is not looked at',
  });
export type SimulatedFailure = z.infer<typeof SimulatedFailure>;

export const PlannedMove = z
  .object({
    vmId: VmId,
    vmName: z.string(),
    fromHostId: HostId,
    fromHostName: z.string(),
    toHostId: HostId,
    toHostName: z.string(),
    how: z.enum(['live', 'stopped']),
    reason: z.string(),
    memoryBytes: z.int().meta({ description: 'To be carried: memory of a running VM' }),
    diskBytes: z.int(),
  })
  .meta({ id: 'PlannedMove' });

const PlanCost = z.object({ moveCount: z.int(), memoryBytes: z.int(), diskBytes: z.int() });
const Steps = z
  .array(z.object({ moves: z.array(PlannedMove) }))
  .meta({ description: 'One after the other; the moves of one step together. Every step fits and breaks no rule' });

export const DrainPlanRequest = z
  .strictObject({ moveCountMax: z.int().min(1).max(PLANNED_MOVE_COUNT_MAX).default(PLANNED_MOVE_COUNT_MAX) })
  .meta({ id: 'DrainPlanRequest' });
export type DrainPlanRequest = z.infer<typeof DrainPlanRequest>;

export const DrainPlan = z
  .object({
    outcome: z.enum(['nothing-to-do', 'plan', 'blocked']),
    steps: Steps,
    cost: PlanCost,
    blockers: z.array(z.object({ vmId: VmId.nullable(), vmName: z.string().nullable(), reason: z.string() })),
    isProven: z.boolean().meta({ description: 'false: blocked as far as was looked, and not proven to be' }),
  })
  .meta({ id: 'DrainPlan', description: 'A dry run: nothing is moved' });
export type DrainPlan = z.infer<typeof DrainPlan>;

export const RebalancePlanRequest = z
  .strictObject({
    goal: z.enum(['even', 'empty-hosts']).default('even'),
    moveCountMax: z.int().min(1).max(PLANNED_MOVE_COUNT_MAX).default(50),
    toleranceShare: z.number().min(0).max(1).default(0.1).meta({
      description: 'even: reached when the fullest host is at most so much above the emptiest, as a share of a host',
    }),
  })
  .meta({ id: 'RebalancePlanRequest' });
export type RebalancePlanRequest = z.infer<typeof RebalancePlanRequest>;

const Evenness = z.object({ fullestShare: z.number(), emptiestShare: z.number(), emptyHostCount: z.int() });

export const RebalancePlan = z
  .object({
    outcome: z.enum(['good-enough', 'plan']),
    reason: z.string().nullable().meta({ description: 'good-enough: why nothing is to be moved' }),
    steps: Steps,
    cost: PlanCost,
    before: Evenness,
    after: Evenness,
  })
  .meta({ id: 'RebalancePlan', description: 'A dry run: nothing is moved' });
export type RebalancePlan = z.infer<typeof RebalancePlan>;
