import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, MIB } from '@kvorum/schema';
import type { Ask } from '../devices/machine-change.js';
import { WITHOUT_MEMORY } from './receive-guest.js';

const POLL_MS = 5;
/** Between two processes of one host nothing is gained by going slower. */
const UNLIMITED_BANDWIDTH = 2 ** 50;
/** QEMU's own (DEFAULT_MIGRATE_MAX_BANDWIDTH): what a later move to another host begins with. */
const USUAL_BANDWIDTH = 128 * MIB;
/** A tenth of what one core copies; a stream that is slower hangs. */
const STREAM_BYTES_PER_MS = (50 * MIB) / 1000;
const STREAM_TIMEOUT_MS_MIN = 30_000;

export const streamTimeoutMs = (memoryBytes: number): number =>
  STREAM_TIMEOUT_MS_MIN + Math.ceil(memoryBytes / STREAM_BYTES_PER_MS);

/**
 * Writes memory and state of a VM that stands still to `uri`, or with `withoutMemory` only the state. Afterwards its disks are
 * closed for writing until it goes on (bdrv_inactivate_all): all that its guest has written is in their files. Throws
 * `host_fault` or `deadline_exceeded`; the VM can go on in any case.
 */
export async function sendGuest(ask: Ask, uri: string, withoutMemory: boolean, timeoutMs: number): Promise<void> {
  const [capability] = WITHOUT_MEMORY.capabilities;
  await ask('migrate-set-capabilities', { capabilities: [{ ...capability, state: withoutMemory }] });
  await ask('migrate-set-parameters', { 'max-bandwidth': UNLIMITED_BANDWIDTH });
  try {
    await ask('migrate', { uri });
    await untilSent(ask, timeoutMs);
  } catch (thrown) {
    await ask('migrate_cancel').catch(() => undefined);
    throw thrown;
  } finally {
    // Of a process that has ended nothing is left to set right.
    await ask('migrate-set-parameters', { 'max-bandwidth': USUAL_BANDWIDTH }).catch(() => undefined);
    await ask('migrate-set-capabilities', { capabilities: [{ ...capability, state: false }] }).catch(() => undefined);
  }
}

async function untilSent(ask: Ask, timeoutMs: number): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const { status, failure } = await ask('query-migrate');
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled') {
      throw new DomainError('host_fault', `the memory of the VM could not be written: ${failure ?? status}`);
    }
    if (performance.now() >= giveUpAtMs) {
      throw new DomainError('deadline_exceeded', `the memory of the VM was not written within ${timeoutMs} ms`);
    }
    await sleep(POLL_MS);
  }
}
