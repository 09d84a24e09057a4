import type { SweepHostResponse } from '@kvorum/schema/agent-wire';
import { z } from 'zod';
import { cleanLine } from '../plain-text.js';

/** What is kept of a host's words: it is enrolled, not trusted. */
const ENTRY_COUNT_MAX = 5_000;
const FAULT_COUNT_MAX = 100;
const FAULT_LENGTH_MAX = 500;
const NAME_LENGTH_MAX = 128;

const Bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const Quarantined = z.object({
  kind: z.enum(['disks', 'disk', 'firmware']),
  name: z
    .string()
    .max(NAME_LENGTH_MAX)
    .regex(/^[a-z]+\.[0-9a-f-]{36}\.[0-9]+$/),
  ownerId: z.uuid(),
  sizeBytes: Bytes,
});
const Removed = z.object({
  kind: z.enum(['run-folder', 'control-group', 'image']),
  ownerId: z.string().regex(/^[0-9a-f-]{1,64}$/),
  sizeBytes: Bytes,
});

export interface AgentHostSweep {
  /** All that lies in the host's quarantine. */
  readonly quarantined: readonly z.infer<typeof Quarantined>[];
  readonly removed: readonly z.infer<typeof Removed>[];
  readonly faults: readonly string[];
  /** VMs and templates that the host knows. */
  readonly vmIds: readonly string[];
  readonly templateIds: readonly string[];
}

const readable = <Shape extends z.ZodType>(shape: Shape, entries: readonly unknown[]): z.infer<Shape>[] =>
  entries.slice(0, ENTRY_COUNT_MAX).flatMap((entry) => {
    const read = shape.safeParse(entry);
    return read.success ? [read.data] : [];
  });

/** What no honest agent says is left out. */
export const agentHostSweepOf = (answer: SweepHostResponse): AgentHostSweep => ({
  quarantined: readable(Quarantined, answer.quarantined),
  removed: readable(Removed, answer.removed),
  faults: answer.faults.slice(0, FAULT_COUNT_MAX).map((fault) => cleanLine(fault, FAULT_LENGTH_MAX)),
  vmIds: readable(z.uuid(), answer.vmIds),
  templateIds: readable(z.uuid(), answer.templateIds),
});
