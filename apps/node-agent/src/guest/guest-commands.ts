import { setTimeout as delay } from 'node:timers/promises';
import type { GuestCommand, GuestCommandStatus, GuestPort } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import type { Log } from '../log.js';

/** Each waits its turn at the guest's one channel, which pings share. */
const COMMANDS_PER_VM_MAX = 4;
/** One question and its answer; an emulated guest on a busy host takes seconds. */
const ANSWER_TIMEOUT_MS = 10_000;
const LOOK_AGAIN_MS_MIN = 20;
const LOOK_AGAIN_MS_MAX = 500;
/** To see that a program that was killed is gone. */
const KILL_CONFIRM_MS = 2_000;

export interface GuestCommandResult extends GuestCommandStatus {
  readonly hasTimedOut: boolean;
}

/** Programs that are run in guests for somebody who waits for them. Nothing of them is kept. */
export class GuestCommands {
  readonly #log: Log;
  readonly #running = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Runs the program to its end, or to `timeoutMs`: then it is killed, as far as the guest can (`kill` on its PATH). The same if
   * `signal` aborts: nobody waits any more. Throws `rate_limited`, `guest_agent_failed`, `guest_fault` when the VM ended.
   */
  async run(
    vmId: string,
    guest: GuestPort,
    command: GuestCommand,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<GuestCommandResult> {
    const count = this.#running.get(vmId) ?? 0;
    if (count >= COMMANDS_PER_VM_MAX) {
      throw new DomainError('rate_limited', `${COMMANDS_PER_VM_MAX} programs run in this guest for others; try again`);
    }
    this.#running.set(vmId, count + 1);
    try {
      const commandId = await guest.startCommand(command, ANSWER_TIMEOUT_MS);
      const status = await waitForEnd(guest, commandId, timeoutMs, signal);
      if (status !== null) return { ...status, hasTimedOut: false };
      this.#log.info({ vmId, program: command.program }, 'a program in a guest has run out of time');
      return { ...((await kill(guest, commandId)) ?? STILL_RUNNING), hasTimedOut: true };
    } finally {
      const left = (this.#running.get(vmId) ?? 1) - 1;
      if (left === 0) this.#running.delete(vmId);
      else this.#running.set(vmId, left);
    }
  }
}

const STILL_RUNNING: GuestCommandStatus = {
  hasEnded: false,
  exitCode: null,
  signal: null,
  stdout: new Uint8Array(0),
  stderr: new Uint8Array(0),
  isTruncated: false,
};

/** Null: it has not ended in time. */
async function waitForEnd(
  guest: GuestPort,
  commandId: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<GuestCommandStatus | null> {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (let waitMs = LOOK_AGAIN_MS_MIN; ; waitMs = Math.min(waitMs * 2, LOOK_AGAIN_MS_MAX)) {
    const status = await poll(guest, commandId);
    if (status?.hasEnded === true) return status;
    const leftMs = giveUpAtMs - performance.now();
    if (leftMs <= 0 || signal.aborted) return null;
    await delay(Math.min(waitMs, leftMs), undefined, { signal }).catch(() => undefined);
  }
}

/** Null: the guest was too busy to answer, which is no reason to give up its program. */
async function poll(guest: GuestPort, commandId: number): Promise<GuestCommandStatus | null> {
  try {
    return await guest.pollCommand(commandId, ANSWER_TIMEOUT_MS);
  } catch (thrown) {
    if (thrown instanceof DomainError && thrown.details['kind'] === 'silent') return null;
    throw thrown;
  }
}

/** SIGKILL by the guest's own `kill`. What a guest has no such program for runs on: null. */
async function kill(guest: GuestPort, commandId: number): Promise<GuestCommandStatus | null> {
  try {
    const args = ['-KILL', String(commandId)];
    await guest.startCommand({ program: 'kill', args, input: null }, ANSWER_TIMEOUT_MS);
    return await waitForEnd(guest, commandId, KILL_CONFIRM_MS, new AbortController().signal);
  } catch {
    return null;
  }
}
