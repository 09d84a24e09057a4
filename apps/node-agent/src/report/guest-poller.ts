import { isDeepStrictEqual } from 'node:util';
import type { GuestInterface, RunningVm } from '@kvorum/hypervisor-driver';
import type { Log } from '../log.js';
import type { VmActor } from '../vm/vm-actor.js';

/** Until the guest has answered once somebody waits for it to boot. */
const POLL_MS_BEFORE_ANSWER = 1_000;
const POLL_MS_AFTER_ANSWER = 10_000;
/** A guest that is alive answers in milliseconds, an emulated one in some hundred. */
const PING_TIMEOUT_MS = 900;
/** Addresses change rarely once there are any; a guest that boots gets its first within a minute. */
const NETWORK_MS_WITHOUT_ADDRESS = 10_000;
const NETWORK_MS_WITH_ADDRESS = 60_000;
const NETWORK_TIMEOUT_MS = 2_000;
/** Each poll holds a monitor connection; more at once would make answers late on a host with hundreds of VMs. */
const POLLS_AT_ONCE = 8;
/** How often the poller looks for whom it is time. */
const TICK_MS = 100;

export interface GuestObservation {
  readonly agent: 'unknown' | 'absent' | 'responding';
  /** Unix ms; null: never. */
  readonly lastAnswerMs: number | null;
  readonly balloonBytes: number | null;
  /** Null: it has not told. */
  readonly interfaces: readonly GuestInterface[] | null;
}

interface Guest {
  readonly epoch: number;
  observation: GuestObservation;
  dueMs: number;
  /** When it is to be asked for its addresses again. */
  networkDueMs: number;
  isPolling: boolean;
}

export const NOTHING_KNOWN: GuestObservation = {
  agent: 'unknown',
  lastAnswerMs: null,
  balloonBytes: null,
  interfaces: null,
};

/** Asks every running guest whether it is there, spread over time, a few at once. */
export class GuestPoller {
  readonly #actors: () => readonly VmActor[];
  readonly #onChange: (vmId: string) => void;
  readonly #log: Log;
  readonly #guests = new Map<string, Guest>();
  #pollCount = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(actors: () => readonly VmActor[], onChange: (vmId: string) => void, log: Log) {
    this.#actors = actors;
    this.#onChange = onChange;
    this.#log = log;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(Date.now()), TICK_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** What the guest of this run has said. A new run begins with nothing known. */
  observationOf(vmId: string, epoch: number): GuestObservation {
    const guest = this.#guests.get(vmId);
    return guest?.epoch === epoch ? guest.observation : NOTHING_KNOWN;
  }

  #tick(nowMs: number): void {
    const running = new Set<string>();
    for (const actor of this.#actors()) {
      const live = actor.live;
      if (live === null) continue;
      running.add(actor.vmId);
      // A paused or hanging guest cannot answer; what was known of it stays.
      if (live.power === 'paused' || live.isHung) continue;
      const guest = this.#guestOf(actor.vmId, live.epoch, nowMs);
      if (guest.dueMs > nowMs || guest.isPolling || this.#pollCount >= POLLS_AT_ONCE) continue;
      void this.#poll(actor, guest);
    }
    for (const vmId of this.#guests.keys()) if (!running.has(vmId)) this.#guests.delete(vmId);
  }

  #guestOf(vmId: string, epoch: number, nowMs: number): Guest {
    const known = this.#guests.get(vmId);
    if (known?.epoch === epoch) return known;
    // Spread from the start: after a restart of the agent all guests of the host are new at once.
    const dueMs = nowMs + Math.random() * POLL_MS_BEFORE_ANSWER;
    const guest: Guest = { epoch, observation: NOTHING_KNOWN, dueMs, networkDueMs: 0, isPolling: false };
    this.#guests.set(vmId, guest);
    return guest;
  }

  async #poll(actor: VmActor, guest: Guest): Promise<void> {
    const vm = actor.live?.vm;
    if (vm === undefined) return;
    guest.isPolling = true;
    this.#pollCount += 1;
    try {
      const { isResponding } = await vm.pingGuest(PING_TIMEOUT_MS);
      const balloonBytes = await vm.queryBalloon().catch(() => guest.observation.balloonBytes);
      const interfaces = isResponding ? await this.#askForNetwork(vm, guest) : guest.observation.interfaces;
      const before = guest.observation;
      guest.observation = {
        agent: isResponding ? 'responding' : 'absent',
        lastAnswerMs: isResponding ? Date.now() : before.lastAnswerMs,
        balloonBytes,
        interfaces,
      };
      const isNews = before.agent !== guest.observation.agent || !isDeepStrictEqual(before.interfaces, interfaces);
      if (isNews) this.#onChange(actor.vmId);
    } catch (thrown) {
      // The process ended meanwhile, which its actor notices by itself.
      this.#log.debug({ vmId: actor.vmId, error: String(thrown) }, 'a guest could not be asked');
    } finally {
      this.#pollCount -= 1;
      guest.isPolling = false;
      const hasAnswered = guest.observation.lastAnswerMs !== null;
      guest.dueMs = Date.now() + (hasAnswered ? POLL_MS_AFTER_ANSWER : POLL_MS_BEFORE_ANSWER);
    }
  }

  /** What the guest says of its network, now and then; what was known if it does not say. */
  async #askForNetwork(vm: RunningVm, guest: Guest): Promise<readonly GuestInterface[] | null> {
    const known = guest.observation.interfaces;
    if (guest.networkDueMs > Date.now()) return known;
    const interfaces = await vm.guest.queryInterfaces(NETWORK_TIMEOUT_MS).catch(() => known);
    const hasAddress = interfaces?.some(({ addresses }) => addresses.length > 0) ?? false;
    guest.networkDueMs = Date.now() + (hasAddress ? NETWORK_MS_WITH_ADDRESS : NETWORK_MS_WITHOUT_ADDRESS);
    return interfaces;
  }
}
