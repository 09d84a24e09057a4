import type { BalloonStatus } from '@kvorum/schema';
import { answerWithin } from '../answer-within.js';
import { forEachBounded } from '../for-each-bounded.js';
import type { Log } from '../log.js';
import type { LiveVm } from '../vm/live-vm.js';
import type { VmActor } from '../vm/vm-actor.js';
import { ROUND_INTERVAL_MS, STATS_INTERVAL_S } from './balloon-policy.js';
import { type HostPressure, type PressureSource, pressureLevelOf } from './host-pressure.js';
import { type BalloonDecision, type BalloonedVm, type BalloonReason, planBalloons } from './plan-balloons.js';

/** Monitors answer within a millisecond; one that does not is not waited for by all the others. */
const ANSWER_MS_MAX = 1_000;
/** Each look holds a monitor for a moment; more at once would not be faster. */
const VMS_AT_ONCE = 8;

/** What the policy knows of a VM's memory. Null: not known. */
export interface BalloonObservation {
  readonly status: BalloonStatus | null;
  readonly actualBytes: number | null;
  readonly workingSetBytes: number | null;
}

const NOTHING_KNOWN: BalloonObservation = { status: null, actualBytes: null, workingSetBytes: null };

export interface BalloonKeeperOptions {
  readonly actors: () => readonly VmActor[];
  readonly pressure: PressureSource;
  readonly onChange: (vmId: string) => void;
  readonly log: Log;
}

/** One run of a VM with what was seen and done. Lost with the agent, which costs nothing but one hold-off. */
interface Watched {
  readonly epoch: number;
  observation: BalloonObservation;
  /** Statistics are asked for in this run. */
  isPolled: boolean;
  /** An earlier question that is not answered yet: it is not asked again. */
  pending: Promise<unknown> | null;
  lastMove: { direction: 'take' | 'give'; atMs: number; reason: BalloonReason } | null;
}

/** Every other second: looks at the host's pressure and at the guests, decides (plan-balloons.ts), and moves balloons. */
export class BalloonKeeper {
  readonly #options: BalloonKeeperOptions;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isPressureKnown = true;

  constructor(options: BalloonKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#runRound()
        .catch((thrown: unknown) => {
          this.#options.log.warn({ error: String(thrown) }, 'a round of ballooning has failed');
        })
        .then(() => this.start());
    }, ROUND_INTERVAL_MS);
  }

  /** Resolves when no balloon is moved any more; they stay as they are. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#round;
  }

  /** Of this run. A new run begins with nothing known. */
  observationOf(vmId: string, epoch: number): BalloonObservation {
    const watched = this.#watched.get(vmId);
    return watched?.epoch === epoch ? watched.observation : NOTHING_KNOWN;
  }

  async #runRound(): Promise<void> {
    const pressure = await this.#readPressure();
    const seen: { actor: VmActor; live: LiveVm; vm: BalloonedVm }[] = [];
    const running = this.#running();
    await forEachBounded(running, VMS_AT_ONCE, async ({ actor, live }) => {
      const vm = await this.#look(actor, live, pressure);
      if (vm !== null) seen.push({ actor, live, vm });
    });
    const decisions = planBalloons(
      seen.map(({ vm }) => vm),
      pressure,
    );
    const moves = seen.map(({ actor, live, vm }, index) => ({ actor, live, vm, decision: decisions[index] }));
    await forEachBounded(moves, VMS_AT_ONCE, async ({ actor, live, vm, decision }) => {
      if (decision === undefined) return;
      this.#note(actor.vmId, live.epoch, vm, decision);
      await this.#move(actor, live.epoch, vm, decision, pressure);
    });
  }

  async #readPressure(): Promise<HostPressure | null> {
    try {
      const pressure = await this.#options.pressure.read();
      this.#isPressureKnown = true;
      return pressure;
    } catch (thrown) {
      if (this.#isPressureKnown) {
        this.#options.log.warn({ error: String(thrown) }, 'the pressure on memory is not known; no memory is taken');
      }
      this.#isPressureKnown = false;
      return null;
    }
  }

  /** VMs that run, each with what is remembered of this run; forgets the others. */
  #running(): { actor: VmActor; live: LiveVm }[] {
    const running = this.#options.actors().flatMap((actor) => {
      const { live } = actor;
      return live === null || live.exit !== null ? [] : [{ actor, live }];
    });
    const present = new Set(running.map(({ actor }) => actor.vmId));
    for (const vmId of this.#watched.keys()) if (!present.has(vmId)) this.#watched.delete(vmId);
    return running;
  }

  async #look(actor: VmActor, live: LiveVm, pressure: HostPressure | null): Promise<BalloonedVm | null> {
    const spec = actor.record?.spec;
    if (spec == null) return null;
    const watched = this.#watchedOf(actor.vmId, live.epoch);
    const { lastMove } = watched;
    const vm = {
      vmId: actor.vmId,
      memoryBytes: spec.memoryBytes,
      policy: spec.balloon,
      answer: null,
      isPaused: live.power === 'paused',
      lastMove: lastMove && { direction: lastMove.direction, agoMs: Date.now() - lastMove.atMs },
    };
    if (spec.balloon === null || vm.isPaused || watched.pending !== null) return vm;
    const asked = this.#ask(watched, live, spec.memoryBytes, pressure);
    watched.pending = asked;
    void asked.finally(() => {
      watched.pending = null;
    });
    return { ...vm, answer: await answerWithin(asked, ANSWER_MS_MAX) };
  }

  /** Never rejects: a VM that has ended meanwhile is noticed by its actor. */
  async #ask(
    watched: Watched,
    { vm }: LiveVm,
    memoryBytes: number,
    pressure: HostPressure | null,
  ): Promise<BalloonedVm['answer']> {
    try {
      if (!watched.isPolled) {
        await vm.pollMemoryStats(STATS_INTERVAL_S);
        watched.isPolled = true;
      }
      const stats = await vm.queryMemoryStats();
      const actualBytes = await vm.queryBalloon();
      const mayMove = actualBytes < memoryBytes || (pressure !== null && pressureLevelOf(pressure) === 'high');
      const isMigrating = mayMove && (await vm.isMigrating());
      const statsAgeMs = Math.max(0, Date.now() - (stats?.updatedAtMs ?? 0));
      return { actualBytes, stats, statsAgeMs, isMigrating };
    } catch (thrown) {
      this.#options.log.debug({ vmId: vm.vmId, error: String(thrown) }, 'a balloon could not be asked');
      return null;
    }
  }

  #watchedOf(vmId: string, epoch: number): Watched {
    const known = this.#watched.get(vmId);
    if (known?.epoch === epoch) return known;
    const fresh: Watched = { epoch, observation: NOTHING_KNOWN, isPolled: false, pending: null, lastMove: null };
    this.#watched.set(vmId, fresh);
    return fresh;
  }

  #note(vmId: string, epoch: number, vm: BalloonedVm, { reason, workingSetBytes }: BalloonDecision): void {
    const watched = this.#watchedOf(vmId, epoch);
    const before = watched.observation;
    watched.observation = {
      status: statusOf(reason, before.status),
      actualBytes: vm.answer?.actualBytes ?? before.actualBytes,
      workingSetBytes: workingSetBytes ?? (reason === 'paused' ? before.workingSetBytes : null),
    };
    const { status } = watched.observation;
    if (status === before.status) return;
    this.#options.log.info({ vmId, status, before: before.status }, "a VM's balloon has another status");
    this.#options.onChange(vmId);
  }

  async #move(
    actor: VmActor,
    epoch: number,
    vm: BalloonedVm,
    decision: BalloonDecision,
    pressure: HostPressure | null,
  ): Promise<void> {
    const { vmId, targetBytes, reason, workingSetBytes } = decision;
    const { log } = this.#options;
    const actualBytes = vm.answer?.actualBytes ?? null;
    log.debug({ vmId, reason, actualBytes, targetBytes, workingSetBytes, pressure }, 'a balloon was judged');
    if (targetBytes === null || actualBytes === null || this.#isClosed) return;
    const watched = this.#watchedOf(vmId, epoch);
    const given = actor.adjustBalloon(epoch, targetBytes).catch((thrown: unknown) => {
      log.debug({ vmId, error: String(thrown) }, 'a balloon could not be moved');
      return null;
    });
    if ((await answerWithin(given, ANSWER_MS_MAX)) === null) return;
    const direction = targetBytes < actualBytes ? 'take' : 'give';
    if (watched.lastMove?.reason !== reason) {
      log.info({ vmId, reason, actualBytes, targetBytes, workingSetBytes }, `a balloon begins to ${direction} memory`);
    }
    watched.lastMove = { direction, atMs: Date.now(), reason };
  }
}

/** What an operator sees of a decision. A paused VM is what it was. */
function statusOf(reason: BalloonReason, before: BalloonStatus | null): BalloonStatus | null {
  if (reason === 'paused') return before;
  return reason === 'disabled' || reason === 'no-driver' || reason === 'not-answering' ? reason : 'active';
}
