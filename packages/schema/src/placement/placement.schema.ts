import { z } from 'zod';
import { HostId, OperationId, PlacementId, ProjectId, VmId } from '../ids.js';
import { PageQuery } from '../page.schema.js';
import { Accelerator } from '../vm/vm.schema.js';

export const PlacementOutcome = z.enum(['placed', 'refused']).meta({ id: 'PlacementOutcome' });
export type PlacementOutcome = z.infer<typeof PlacementOutcome>;

/** Amounts of every kind that is counted; a decision made before a kind was counted says 0. */
const NeededAmounts = z.object({
  vcpuCount: z.int(),
  memoryBytes: z.int(),
  diskBytes: z.int(),
  dedicatedCpuCount: z.int(),
  hugePages2MibBytes: z.int(),
  hugePages1GibBytes: z.int(),
});

export const PlacementScore = z
  .object({
    total: z.number(),
    parts: z.record(z.string(), z.number()).meta({ description: 'Opinions that were added, each times its weight' }),
  })
  .meta({ id: 'PlacementScore' });

const ChosenHost = z.object({ hostId: HostId, hostName: z.string(), score: PlacementScore });

export const HostVerdict = z
  .object({
    hostId: HostId,
    hostName: z.string(),
    fits: z.boolean(),
    score: PlacementScore.nullable(),
    objections: z
      .array(
        z.object({
          filter: z.string(),
          reason: z.string(),
          needed: z.number().nullable(),
          free: z.number().nullable(),
        }),
      )
      .meta({ description: 'Every filter that rejects the host, not only the first' }),
  })
  .meta({ id: 'HostVerdict' });

export const PlacementRemedy = z
  .object({
    kind: z.string().meta({ description: 'more-room, drop-rule, move-vm or ask-for-less' }),
    filter: z.string(),
    change: z.string(),
    hostCount: z.int(),
    hostNames: z.array(z.string()),
  })
  .meta({ id: 'PlacementRemedy', description: 'A single change that would make it fit' });

export const PlacementDecision = z
  .object({
    outcome: PlacementOutcome,
    summary: z.string(),
    needed: NeededAmounts.extend({
      accelerator: Accelerator.nullable(),
      hostId: z.string().nullable().meta({ description: 'The only host that would do, where one was asked for' }),
    }).meta({ description: "What was looked for; memoryBytes includes the VM's overhead on its host" }),
    inputDigest: z.string().nullable().meta({
      description: 'Of request and fleet: with the same digest, the decision is the same; null: not taken',
    }),
    contradictions: z.array(z.string()).meta({ description: 'What contradicts itself, whatever is free' }),
    hostCount: z.int(),
    candidateCount: z.int().meta({ description: 'Hosts that fit' }),
    rejections: z.array(z.object({ filter: z.string(), rejected: z.int() })).meta({
      description: 'Each host that does not fit is counted once, under the first filter that rejects it',
    }),
    chosen: ChosenHost.nullable(),
    margin: z.number().nullable().meta({
      description: "By how much the chosen host's total is above the next one's; null where there is no other",
    }),
    verdicts: z.array(HostVerdict).meta({ description: 'The best candidates, then the hosts that came closest' }),
    omittedVerdictCount: z.int(),
    relaxation: z
      .object({ hostId: HostId, hostName: z.string(), changes: z.array(z.string()) })
      .nullable()
      .meta({ description: 'The least that would have to change for it to fit on one host' }),
    remedies: z.array(PlacementRemedy),
    isLimited: z.boolean().meta({
      description: 'true: your token is for one project, so hosts are counted and not named',
    }),
  })
  .meta({ id: 'PlacementDecision' });
export type PlacementDecision = z.infer<typeof PlacementDecision>;

export const Placement = z
  .object({
    id: PlacementId,
    outcome: PlacementOutcome,
    projectId: ProjectId,
    vmId: VmId.nullable().meta({ description: 'null: it was refused, and no VM was made' }),
    vmName: z.string().meta({ description: 'Name of the VM that was asked for' }),
    hostId: HostId.nullable(),
    requestedBy: z.string().nullable().meta({ description: 'Name of the token that asked' }),
    decision: PlacementDecision,
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Placement', description: 'A decision of the scheduler' });
export type Placement = z.infer<typeof Placement>;

export const ListPlacementsQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  vmId: VmId.optional(),
  outcome: PlacementOutcome.optional(),
});
export type ListPlacementsQuery = z.infer<typeof ListPlacementsQuery>;

export const PlacementQueueQuery = z.object({ projectId: ProjectId.optional() });
export type PlacementQueueQuery = z.infer<typeof PlacementQueueQuery>;

export const WaitingVm = z
  .object({
    position: z.int().meta({ description: 'Place in the queue of the site, from 1' }),
    operationId: OperationId,
    vmId: VmId,
    vmName: z.string(),
    projectId: ProjectId,
    priority: z.int(),
    reason: z.string().meta({ description: 'Why there was no room when it was last tried' }),
    until: z.iso.datetime(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'WaitingVm' });
export type WaitingVm = z.infer<typeof WaitingVm>;

export const PlacementQueue = z
  .object({ items: z.array(WaitingVm) })
  .meta({ id: 'PlacementQueue', description: 'VMs that wait for room, in the order in which they are tried' });
export type PlacementQueue = z.infer<typeof PlacementQueue>;

export const PlacementReplay = z
  .object({
    placementId: PlacementId,
    isSame: z.boolean(),
    differences: z.array(z.string()).meta({ description: 'What came out otherwise; empty when the same' }),
    replayedHostCount: z.int().meta({
      description: 'Hosts that were decided on again: those that the record names, as they were then',
    }),
    isComplete: z.boolean().meta({ description: 'false: other hosts were only counted then, and are not kept' }),
    decision: PlacementDecision,
  })
  .meta({ id: 'PlacementReplay' });
export type PlacementReplay = z.infer<typeof PlacementReplay>;
