import type { Capacity, HostReport, VmReport } from '@kvorum/schema/agent-wire';
import { AGENT_VERSION } from '../agent-version.js';
import type { BalloonKeeper } from '../balloon/balloon-keeper.js';
import type { HostCpus } from '../cpu/host-cpus.js';
import type { OverheadMeter } from '../cpu/overhead-meter.js';
import type { HostInventory } from '../host/host-inventory.js';
import { toWireAccelerator, toWireFacts } from '../host/host-wire.js';
import type { PoolKeeper } from '../storage/pool-keeper.js';
import { toPoolReport } from '../storage/volume-report.js';
import type { TemplateStore } from '../template/template-store.js';
import type { VmActor } from '../vm/vm-actor.js';
import type { VmDirectory } from '../vm/vm-directory.js';
import type { GuestPoller } from './guest-poller.js';
import type { ReportCounter } from './report-counter.js';
import { toVmReport } from './vm-report.js';

export interface ReportSources {
  readonly directory: VmDirectory;
  readonly guests: GuestPoller;
  readonly balloons: BalloonKeeper;
  readonly overheads: OverheadMeter;
  readonly inventory: HostInventory;
  readonly cpus: HostCpus;
  readonly counter: ReportCounter;
  readonly pools: PoolKeeper;
  readonly templates: Pick<TemplateStore, 'all'>;
  /** Where the control plane reaches this agent. */
  readonly address: string;
}

/**
 * Writes down what is true now. Number and content are taken in one step, so that a higher number is never older than
 * a lower one, whichever way it travels: in the stream or as an answer to a request.
 */
export class ReportWriter {
  readonly #sources: ReportSources;

  constructor(sources: ReportSources) {
    this.#sources = sources;
  }

  vmReport(actor: VmActor): VmReport | null {
    return this.#vmReport(actor, this.#sources.counter.next());
  }

  vmReports(actors: readonly VmActor[]): VmReport[] {
    const reportGeneration = this.#sources.counter.next();
    return actors.map((actor) => this.#vmReport(actor, reportGeneration)).filter((report) => report !== null);
  }

  /** All VMs; with the host's facts where the receiver has not seen them. */
  fullReport(facts: 'with facts' | 'without facts'): HostReport {
    return this.#hostReport(this.#sources.directory.actors, true, facts === 'with facts');
  }

  /** Only these VMs. A VM that is gone from the host cannot be said this way: that takes a full report. */
  changeReport(vmIds: Iterable<string>): HostReport {
    const actors = [...vmIds].map((vmId) => this.#sources.directory.find(vmId)).filter((actor) => actor !== null);
    return this.#hostReport(actors, false, false);
  }

  /**
   * What VMs may reserve, and what is free of each NUMA node. Taken in the same step as the VMs of a report: a VM has its
   * claim before it runs, so the nodes' room never lacks the claim of a VM that is reported to run.
   */
  capacity(): Capacity {
    return { ...this.#sources.inventory.latest.capacity, nodes: this.#sources.cpus.rooms() };
  }

  #hostReport(actors: readonly VmActor[], isFull: boolean, hasFacts: boolean): HostReport {
    const reportGeneration = this.#sources.counter.next();
    const { facts, accelerators } = this.#sources.inventory.latest;
    return {
      reportGeneration,
      facts: hasFacts ? toWireFacts(facts) : undefined,
      accelerator: toWireAccelerator(accelerators[0]),
      capacity: this.capacity(),
      agentVersion: AGENT_VERSION,
      address: this.#sources.address,
      isFull,
      vms: actors.map((actor) => this.#vmReport(actor, reportGeneration)).filter((report) => report !== null),
      templates: isFull ? { templateIds: this.#sources.templates.all.map(({ templateId }) => templateId) } : undefined,
      pools: hasFacts ? { pools: this.#sources.pools.statuses.map(toPoolReport) } : undefined,
    };
  }

  #vmReport(actor: VmActor, reportGeneration: number): VmReport | null {
    const snapshot = actor.snapshot();
    if (snapshot === null) return null;
    const guest = this.#sources.guests.observationOf(snapshot.vmId, snapshot.epoch);
    const balloon = this.#sources.balloons.observationOf(snapshot.vmId, snapshot.epoch);
    const overheadBytes = this.#sources.overheads.overheadOf(snapshot.vmId, snapshot.epoch);
    return toVmReport(snapshot, { guest, balloon, overheadBytes }, reportGeneration);
  }
}
