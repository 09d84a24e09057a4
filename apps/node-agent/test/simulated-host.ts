import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import { FakeDriver, FakeMachine } from '@kvorum/hypervisor-driver';
import { newId } from '@kvorum/schema';
import {
  Accelerator,
  type EnsureVmRequest,
  type EnsureVmResponse,
  fromServiceError,
  type Intent,
  type NodeAgentClient,
  type ObserveVmsResponse,
  PowerState,
  type VmSpec,
} from '@kvorum/schema/agent-wire';
import { type Agent, type AgentOptions, type Log, type PressureSource, startAgent } from '../src/index.js';
import type { SimulatedSite } from './simulated-site.js';

export const MIB = 1024 * 1024;
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

const NO_PRESSURE: PressureSource = {
  read: async () => ({ totalBytes: 8192 * MIB, availableBytes: 8192 * MIB, stallPercent: null }),
};

/** One machine with its folders, on which agents come and go. */
export class SimulatedHost {
  readonly machine = new FakeMachine({
    hostCpuCount: 4,
    memoryBytes: 8 * 1024 * MIB,
    numaNodes: [{ id: 0, cpus: [0, 1, 2, 3], memoryBytes: 8 * 1024 * MIB, hugePages: {} }],
  });
  agent: Agent | null = null;
  private constructor(
    readonly site: SimulatedSite,
    readonly folder: string,
    readonly pressure: PressureSource,
  ) {}

  /** Without a pressure of its own nothing is ever scarce, however full the machine is that runs the tests. */
  static async create(site: SimulatedSite, pressure: PressureSource = NO_PRESSURE): Promise<SimulatedHost> {
    const folder = await mkdtemp(join(tmpdir(), 'kv-'));
    await mkdir(join(folder, 's'));
    await site.writeJoinFile(join(folder, 'join'));
    return new SimulatedHost(site, folder, pressure);
  }

  get stateDir(): string {
    return join(this.folder, 's');
  }
  runDirOf(vmId: string): string {
    return join(this.folder, 'r', vmId);
  }

  async start(changes: Partial<AgentOptions> = {}, log: Log = silentLog): Promise<Agent> {
    this.agent = await startAgent({
      config: {
        stateDir: this.stateDir,
        runDir: join(this.folder, 'r'),
        joinFile: join(this.folder, 'join'),
        enrolAddress: `127.0.0.1:${this.site.enrolPort}`,
        name: 'host-a',
        allowEmulation: true,
        ...changes,
      },
      driver: new FakeDriver(this.machine),
      pressure: this.pressure,
      log,
    });
    return this.agent;
  }

  async restart(): Promise<Agent> {
    await this.agent?.close();
    return this.start();
  }

  async remove(): Promise<void> {
    await this.agent?.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The calls of one agent as promises that reject with DomainError. */
export class AgentCalls {
  constructor(readonly client: NodeAgentClient) {}

  unary<Request, Response>(
    method: (request: Request, done: (error: ServiceError | null, response: Response) => void) => unknown,
    request: Request,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      method.call(this.client, request, (error, response) =>
        error ? reject(fromServiceError(error)) : resolve(response),
      );
    });
  }
  ensureVm(request: EnsureVmRequest): Promise<EnsureVmResponse> {
    return this.unary(this.client.ensureVm, request);
  }
  observeVms(vmIds: string[] = []): Promise<ObserveVmsResponse> {
    return this.unary(this.client.observeVms, { vmIds });
  }
}

/** One VM as the control plane knows it. */
export class TestVm {
  readonly vmId = newId();
  readonly volumeId = newId();
  readonly imageId = newId();

  intent(generation: number, epoch = 1, fencingToken = 1): Intent {
    return { vmId: this.vmId, generation, fencingToken, epoch, operationId: newId() };
  }
  spec(changes: Partial<VmSpec> = {}): VmSpec {
    return {
      name: 'web',
      vcpuCount: 1,
      memoryBytes: 64 * MIB,
      accelerator: Accelerator.ACCELERATOR_TCG,
      rootVolumeId: this.volumeId,
      pooledVolumes: [],
      balloon: { minimumBytes: 32 * MIB, shares: 1000 },
      hardware: undefined,
      cloudInit: undefined,
      ...changes,
    };
  }
  request(intent: Intent, changes: Partial<EnsureVmRequest> = {}): EnsureVmRequest {
    return { intent, spec: this.spec(), power: PowerState.POWER_STATE_RUNNING, graceMs: 0, reset: false, ...changes };
  }
}
