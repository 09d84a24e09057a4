import { setTimeout as sleep } from 'node:timers/promises';
import { type Accelerator, DomainError } from '@kvorum/schema';
import type { MachineSpec } from '../../driver.js';
import type { QmpCommandName, QmpCommands } from '../qmp-commands.js';
import type { DiskPlan } from './device-plan.js';

export type Ask = <Name extends QmpCommandName>(
  name: Name,
  args?: QmpCommands[Name]['arguments'],
) => Promise<QmpCommands[Name]['answer']>;

/** What a guest has to do is asked again so often, as an event that was sent while nobody was connected is lost. */
const POLL_MS = 100;

export interface MachineChange {
  readonly ask: Ask;
  readonly machine: MachineSpec;
  readonly accelerator: Accelerator;
  readonly bootMemoryBytes: number;
  readonly disks: readonly DiskPlan[];
  /** How long a guest may take to let go of a device, or to take memory. */
  readonly guestTimeoutMs: number;
}

/** `what` the guest has to let go of; null: it has to take memory. Throws `conflict_state` when its time is over. */
export async function untilGuest(
  what: string | null,
  timeoutMs: number,
  isDone: () => Promise<boolean>,
): Promise<void> {
  const giveUpAtMs = performance.now() + timeoutMs;
  while (!(await isDone())) {
    if (performance.now() >= giveUpAtMs) {
      const sentence = what === null ? 'has not taken the memory' : `has not let go of ${what}`;
      throw new DomainError('conflict_state', `the guest ${sentence} within ${timeoutMs / 1000} s`);
    }
    await sleep(POLL_MS);
  }
}

/** Asking again for one that is on its way out is refused; that is no failure. */
export async function askGuestToLetGo(ask: Ask, id: string): Promise<void> {
  await ask('device_del', { id }).catch((thrown: unknown) => {
    if (!(thrown instanceof DomainError) || !thrown.message.includes('already in the process of unplug')) throw thrown;
  });
}
