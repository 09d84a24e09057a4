import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoragePool } from '@kvorum/host-storage';
import { FakeDriver, FakeMachine, type HypervisorDriver, type RunningVm } from '@kvorum/hypervisor-driver';
import { HostCpus } from '../src/cpu/host-cpus.js';
import { topologyOf } from '../src/cpu/host-topology.js';
import { StateFolders } from '../src/state/state-folders.js';
import { TemplateStore } from '../src/template/template-store.js';
import { VmActor } from '../src/vm/vm-actor.js';
import type { VmHost } from '../src/vm/vm-host.js';
import type { VmRecord } from '../src/vm/vm-record.js';
import type { VmRecords } from '../src/vm/vm-record-files.js';
import { silentLog } from './simulated-host.js';

/** An agent's life: after so many writes and calls of the driver it ends, before or after the effect of the last one. */
class Life {
  readonly ended: Promise<'killed'>;
  #end: (outcome: 'killed') => void = () => undefined;
  constructor(private left: number) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }
  /** Never resolves once the agent is dead: the dead do nothing more. */
  async step(): Promise<void> {
    if (this.left > 0) {
      this.left -= 1;
      return;
    }
    this.#end('killed');
    await new Promise(() => undefined);
  }
  kill(): void {
    this.left = 0;
  }
  guard<Args extends unknown[], Result>(method: (...args: Args) => Promise<Result>) {
    return async (...args: Args): Promise<Result> => {
      await this.step();
      const result = await method(...args);
      await this.step();
      return result;
    };
  }
}

function mortalDriver(driver: HypervisorDriver, life: Life): HypervisorDriver {
  return {
    observeHost: () => driver.observeHost(),
    usableCpus: () => driver.usableCpus(),
    ensureDisk: life.guard((disk) => driver.ensureDisk(disk)),
    flattenDisk: life.guard((disk, watch) => driver.flattenDisk(disk, watch)),
    adoptDisk: life.guard((disk) => driver.adoptDisk(disk)),
    removeDisk: life.guard((path) => driver.removeDisk(path)),
    sweep: life.guard((vmId, runDir) => driver.sweep(vmId, runDir)),
    removeLeftovers: (isOwned) => driver.removeLeftovers(isOwned),
    readExit: (vmId, runDir) => driver.readExit(vmId, runDir),
    adopt: async (vmId, runDir) => {
      const vm = await driver.adopt(vmId, runDir);
      return vm && mortalVm(vm, life);
    },
    freezeTemplate: life.guard((freeze) => driver.freezeTemplate(freeze)),
    endFreeze: life.guard((golden) => driver.endFreeze(golden)),
    readTemplate: (folder) => driver.readTemplate(folder),
    removeTemplate: life.guard((folder) => driver.removeTemplate(folder)),
    forkVm: life.guard(async (spec, folder) => mortalVm(await driver.forkVm(spec, folder), life)),
    launch: life.guard(async (spec) => mortalVm(await driver.launch(spec), life)),
  };
}

function mortalVm(vm: RunningVm, life: Life): RunningVm {
  return {
    vmId: vm.vmId,
    epoch: vm.epoch,
    pid: vm.pid,
    accelerator: vm.accelerator,
    exited: vm.exited,
    guest: vm.guest,
    consoles: vm.consoles,
    queryPower: () => vm.queryPower(),
    ensureMachine: life.guard((machine) => vm.ensureMachine(machine)),
    switchDisks: life.guard((switches) => vm.switchDisks(switches)),
    mergeLayer: life.guard((merge) => vm.mergeLayer(merge)),
    endMerges: life.guard((diskId) => vm.endMerges(diskId)),
    checkMonitor: (timeoutMs) => vm.checkMonitor(timeoutMs),
    pause: life.guard(() => vm.pause()),
    resume: life.guard(() => vm.resume()),
    holdStill: (run) => vm.holdStill(run),
    reset: life.guard(() => vm.reset()),
    pressPowerButton: life.guard(() => vm.pressPowerButton()),
    end: life.guard((timeoutMs) => vm.end(timeoutMs)),
    setBalloon: (bytes) => vm.setBalloon(bytes),
    queryBalloon: () => vm.queryBalloon(),
    pollMemoryStats: (intervalS) => vm.pollMemoryStats(intervalS),
    queryMemoryStats: () => vm.queryMemoryStats(),
    isMigrating: () => vm.isMigrating(),
    pingGuest: (timeoutMs) => vm.pingGuest(timeoutMs),
    queryGenerationId: () => vm.queryGenerationId(),
    onDeviceEvent: (listener) => vm.onDeviceEvent(listener),
    queryThreads: () => vm.queryThreads(),
    placeThreads: (placement) => vm.placeThreads(placement),
    measureMemory: () => vm.measureMemory(),
    onPowerChange: (listener) => vm.onPowerChange(listener),
    release: () => vm.release(),
  };
}

/** What outlives agents: the machine and the written record. Agents (here: one actor) come and are killed. */
export class MortalHost {
  written: VmRecord | null = null;
  /** Epochs of volumes that are claimed on a pool. */
  readonly claims = new Map<string, number>();
  #life = new Life(Number.POSITIVE_INFINITY);
  #actor: VmActor | null = null;
  #templates: TemplateStore | null = null;
  private constructor(
    readonly folder: string,
    readonly vmId: string,
    readonly machine: FakeMachine,
  ) {}

  static async create(vmId: string): Promise<MortalHost> {
    return new MortalHost(await mkdtemp(join(tmpdir(), 'kv-')), vmId, new FakeMachine());
  }

  /** The agent of another VM on the same machine, in the same folders. */
  async neighbour(vmId: string): Promise<MortalHost> {
    const { machine } = this;
    for (const folder of machine.templates.keys()) await mkdir(folder, { recursive: true });
    return new MortalHost(this.folder, vmId, machine);
  }

  get actor(): VmActor {
    if (this.#actor === null) throw new Error('no agent runs');
    return this.#actor;
  }

  /** A fresh agent that finds what the last one left. */
  async start(): Promise<VmActor> {
    this.#life.kill();
    this.#life = new Life(Number.POSITIVE_INFINITY);
    this.#actor = new VmActor(await this.#host(), this.vmId, this.written);
    await this.#actor.recover();
    return this.#actor;
  }

  /** Does something with an agent that lives for `steps` more and is killed then or afterwards; a fresh one follows. */
  async within<Result>(steps: number, task: (actor: VmActor) => Promise<Result>): Promise<Result | 'killed'> {
    this.#life.kill();
    const life = new Life(steps);
    this.#life = life;
    const actor = new VmActor(await this.#host(), this.vmId, this.written);
    this.#actor = actor;
    const outcome = await Promise.race([life.ended, actor.recover().then(() => task(actor))]);
    await this.start();
    return outcome;
  }

  async remove(): Promise<void> {
    this.#life.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Of the agent that runs. */
  get templates(): TemplateStore {
    if (this.#templates === null) throw new Error('no agent runs');
    return this.#templates;
  }

  get folders(): StateFolders {
    return new StateFolders(join(this.folder, 's'), join(this.folder, 'r'));
  }

  /** One pool, of whose volumes only the claims matter. */
  #pools(life: Life): VmHost['pools'] {
    const pool = {
      claimVolume: life.guard(async (volumeId: string, epoch: number) => {
        this.claims.set(volumeId, epoch);
        const source = { kind: 'files', path: `/pool/${volumeId}.qcow2`, basePaths: [] };
        return { source, sizeBytes: 16 * 1024 ** 2 };
      }),
      releaseVolume: life.guard(async (volumeId: string, epoch: number) => {
        if ((this.claims.get(volumeId) ?? 0) <= epoch) this.claims.delete(volumeId);
      }),
    };
    return {
      get: async () => pool as unknown as StoragePool,
      hasRoom: async () => true,
      shortenLater: () => undefined,
    };
  }

  async #host(): Promise<VmHost> {
    const life = this.#life;
    const save = async (record: VmRecord) => {
      this.written = record;
    };
    const records: VmRecords = {
      save: life.guard(save),
      forget: life.guard(async () => {
        this.written = null;
      }),
    };
    const driver = mortalDriver(new FakeDriver(this.machine), life);
    await mkdir(this.folders.templates, { recursive: true });
    const inUse = () =>
      new Set(Object.values(this.written?.volumes ?? {}).flatMap((volume) => volume?.templateId ?? []));
    this.#templates = await TemplateStore.open({ driver, folders: this.folders, inUse, log: silentLog });
    return {
      driver,
      templates: this.#templates,
      folders: this.folders,
      records,
      cpus: new HostCpus(topologyOf(this.machine.facts, driver.usableCpus())),
      placeThreads: async () => undefined,
      portOf: async () => null,
      pools: this.#pools(life),
      merges: { holding: (_volumeIds, task) => task() },
      accelerators: ['tcg'],
      newestMachineType: () => this.machine.facts.qemuMachineType,
      machineTypes: () => this.machine.facts.machineTypes,
      imagePath: async (sha256) => (sha256 === 'ab'.repeat(32) ? '/image.qcow2' : null),
      onChange: () => undefined,
      log: silentLog,
    };
  }
}
