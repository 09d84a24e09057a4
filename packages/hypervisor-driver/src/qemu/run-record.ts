import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Accelerator } from '@kvorum/schema';
import type { VmExit } from '../driver.js';
import type { ProcessIdentity } from '../process/process-identity.js';
import type { RunFolder } from './run-folder.js';

/**
 * What is known of a run, on disk beside its sockets, so that a later agent can take it over.
 *
 *   launching (no process) -> launching (process) -> running -> [end requested] -> exited
 *
 * The record is written before the process is made: a process without a record cannot come from us. A run that a crash
 * left in `launching` was never confirmed to anybody, and its guest has not run: it is ended, not taken over.
 */
export interface RunRecord {
  readonly phase: 'launching' | 'running';
  readonly vmId: string;
  readonly epoch: number;
  readonly accelerator: Accelerator;
  readonly memoryBytes: number;
  /** What each NUMA node of the guest has. */
  readonly backendBytes: readonly number[];
  readonly process: ProcessIdentity | null;
  /** The process of its TPM; null: it has none; left out: one may have been started, look for it. */
  readonly tpm?: ProcessIdentity | null;
  /** We set out to end it, perhaps by SIGKILL, which leaves no other trace. */
  readonly isEndRequested: boolean;
  /** Its guest stands still for a moment, and goes on when that is over. */
  readonly isHeldStill?: boolean;
  readonly exit: VmExit | null;
}

/** Atomic by rename. Not synced: after a power failure the process is gone too, and the boot id tells. */
export async function writeRunRecord(folder: RunFolder, record: RunRecord): Promise<void> {
  const temporary = `${folder.record}.partial`;
  await writeFile(temporary, JSON.stringify(record), { mode: 0o600 });
  await rename(temporary, folder.record);
}

/** Null when there is none or it is damaged: then nothing is known, and the caller looks at the processes. */
export async function readRunRecord(folder: RunFolder): Promise<RunRecord | null> {
  try {
    const value: unknown = JSON.parse(await readFile(folder.record, 'utf8'));
    return isRunRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRunRecord(value: unknown): value is RunRecord {
  const record = value as Partial<RunRecord> | null;
  return (
    typeof record === 'object' &&
    record !== null &&
    (record.phase === 'launching' || record.phase === 'running') &&
    typeof record.vmId === 'string' &&
    Number.isSafeInteger(record.epoch) &&
    (record.accelerator === 'kvm' || record.accelerator === 'tcg') &&
    Number.isSafeInteger(record.memoryBytes) &&
    Array.isArray(record.backendBytes) &&
    record.backendBytes.every(Number.isSafeInteger) &&
    typeof record.isEndRequested === 'boolean' &&
    isProcess(record.process) &&
    (record.tpm === undefined || isProcess(record.tpm)) &&
    isExit(record.exit)
  );
}

function isProcess(value: ProcessIdentity | null | undefined): boolean {
  if (value === null) return true;
  return Number.isSafeInteger(value?.pid) && typeof value?.startTime === 'string' && typeof value.bootId === 'string';
}

const isExit = (value: VmExit | null | undefined): boolean =>
  value === null || (typeof value?.reason === 'string' && typeof value.detail === 'string');
