import { DISK_BYTES_MAX, DomainError } from '@kvorum/schema';
import type { EnsureVolumeRequest, SweepPoolResponse, VolumeReport } from '@kvorum/schema/agent-wire';
import { z } from 'zod';
import { cleanLine } from '../plain-text.js';
import type { AgentNewVolume, AgentSweep, AgentVolume, VolumeIntent } from './volume-port.js';

const NAME_LENGTH_MAX = 255;
const FAULT_LENGTH_MAX = 500;
/** What is kept of a sweep's words: people read them. */
const SWEEP_ENTRY_COUNT_MAX = 1000;
/** A pool keeps 31 for each volume. */
const SNAPSHOT_COUNT_MAX = 64;

const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const SizeBytes = z.int().min(0).max(DISK_BYTES_MAX);

/** What a host says of a volume is checked: it goes into the database and to tenants. */
const Volume = z.object({
  volumeId: z.uuid(),
  ownerId: z.uuid(),
  sizeBytes: SizeBytes,
  allocatedBytes: Count,
  state: z.enum(['copying', 'ready', 'trashed']),
  chainLength: Count,
  snapshots: z.array(z.object({ id: z.uuid(), sizeBytes: SizeBytes, createdAtMs: Count })).max(SNAPSHOT_COUNT_MAX),
  holder: z.object({ hostId: z.uuid(), epoch: Count }).nullable(),
});

/** Throws `host_fault` for a report that no honest agent sends, or of another volume. */
export function agentVolumeOf(report: VolumeReport | undefined, volumeId: string): AgentVolume {
  const read = Volume.safeParse(report === undefined ? undefined : { ...report, holder: report.holder ?? null });
  if (read.success && read.data.volumeId === volumeId) return read.data;
  throw new DomainError('host_fault', `the agent did not say what is true of volume ${volumeId}`);
}

export const toWireNewVolume = (intent: VolumeIntent, { image, ...request }: AgentNewVolume): EnsureVolumeRequest => ({
  ...request,
  intent: { ...intent },
  image: image === null ? undefined : { imageId: image.imageId, sha256: image.sha256 },
});

/** By which it is asked for again, so that it is kept as it is or not at all. */
const SetAside = z.object({
  name: z
    .string()
    .max(NAME_LENGTH_MAX)
    .regex(/^[\x21-\x7e]+$/),
  sizeBytes: Count,
});

export const agentSweepOf = (answer: SweepPoolResponse): AgentSweep => ({
  purgedVolumeIds: answer.purgedVolumeIds.filter((id) => z.uuid().safeParse(id).success),
  quarantined: answer.quarantined
    .slice(0, SWEEP_ENTRY_COUNT_MAX)
    .map(({ name, sizeBytes }) => ({ name: cleanLine(name, NAME_LENGTH_MAX), sizeBytes })),
  faults: answer.faults.slice(0, SWEEP_ENTRY_COUNT_MAX).map((fault) => cleanLine(fault, FAULT_LENGTH_MAX)),
  setAside: answer.setAside.slice(0, SWEEP_ENTRY_COUNT_MAX).flatMap((entry) => {
    const read = SetAside.safeParse(entry);
    return read.success ? [read.data] : [];
  }),
});
