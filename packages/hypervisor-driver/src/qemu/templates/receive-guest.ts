import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import type { NoDisk } from '../arguments/root-disk-arguments.js';
import type { Ask } from '../devices/machine-change.js';
import { STATE_URI } from './arrival.js';
import { plugCards } from './network-cards.js';

/** A guest that ran before and arrives in a new process. */
export interface ArrivingGuest {
  readonly role: 'fork' | 'maker';
  readonly memoryPath: string;
  readonly statePath: string;
  /** Of a maker: where the VM sends its memory and the state of its devices. */
  readonly uri: string;
  /** Null: the guest will run, and has its disk. */
  readonly noDisk: NoDisk | null;
}

const POLL_MS = 2;

/** The stream leaves out memory that is a file (RAMBlock of migration/ram.c, migrate_ram_is_ignored): it is there already. */
export const WITHOUT_MEMORY = { capabilities: [{ capability: 'x-ignore-shared', state: true }] } as const;

/**
 * A fork's guest has arrived, and has its network cards plugged in, when this resolves: it stands still, and finds them when it
 * goes on. A maker waits for its guest, which somebody is to send.
 */
export async function receiveGuest(ask: Ask, spec: LaunchSpec, guest: ArrivingGuest, timeoutMs: number): Promise<void> {
  if (guest.role === 'maker') return void (await ask('migrate-incoming', { uri: guest.uri }));
  await ask('migrate-set-capabilities', WITHOUT_MEMORY);
  await ask('migrate-incoming', { uri: STATE_URI });
  await untilArrived(ask, timeoutMs);
  const [capability] = WITHOUT_MEMORY.capabilities;
  await ask('migrate-set-capabilities', { capabilities: [{ ...capability, state: false }] });
  await plugCards(ask, spec);
}

/** A state that cannot be read ends the process, and with it this. */
export async function untilArrived(ask: Ask, timeoutMs: number): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  while ((await ask('query-status')).status === 'inmigrate') {
    if (performance.now() >= giveUpAtMs) {
      throw new DomainError('deadline_exceeded', `the guest has not arrived within ${timeoutMs} ms`);
    }
    await sleep(POLL_MS);
  }
}
