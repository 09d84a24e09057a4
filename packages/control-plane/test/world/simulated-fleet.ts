import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Gateway, startGateway } from '@kvorum/api';
import { FakeDriver, FakeMachine } from '@kvorum/hypervisor-driver';
import { type Agent, type AgentNetworks, NetworkKeeper, startAgent } from '@kvorum/node-agent';
import { DomainError, type Flavor, type HostFacts, type HostNetworks, type ImageId } from '@kvorum/schema';
import { vi } from 'vitest';
import { findFreePort } from '../../../../scripts/services/free-port.mjs';
import { createEnrolment } from '../../src/host/create-enrolment.js';
import { createImage } from '../../src/image/create-image.js';
import { uploadImageContent } from '../../src/image/upload-image.js';
import { aFlavor, aName, VM_SIZE } from './fleet-builder.js';
import { aQcow2File } from './qcow2.js';
import { openTestControlPlane, SILENT_LOG, type TestControlPlane } from './test-control-plane.js';

/** A real agent over real gRPC and mTLS; only the machine under it is simulated. */
export interface SimulatedHost {
  readonly hostId: string;
  readonly machine: FakeMachine;
  /** All networks that it was ever told to have, the last one last. */
  readonly toldNetworks: readonly HostNetworks[];
  /** What it says of networks that it cannot make, by their ids. */
  readonly networkFaults: Map<string, string>;
  /** Ends the agent and starts another on the same machine and folders. */
  restart(): Promise<void>;
  /** As when the host loses its network: nobody answers. */
  silence(): Promise<void>;
  /** Writes other bytes into the images of its cache. */
  spoilImages(): Promise<void>;
}

export interface SimulatedFleet {
  readonly test: TestControlPlane;
  readonly hosts: readonly SimulatedHost[];
  readonly flavor: Flavor;
  readonly imageId: ImageId;
  /** Of all hosts, as their agents were told. */
  readonly poolFolders: readonly string[];
  close(): Promise<void>;
}

/** Reports come at once after a change and every 2 s. */
export const REPORT_WAIT = { timeout: 15_000, interval: 50 };

export async function openSimulatedFleet(options: {
  hostCount: number;
  vmsPerHost: number;
  hostCpuCount?: number;
  /** Of each host; without, hosts make no networks. */
  overlayAddresses?: readonly string[];
  /** Of hosts that make networks: by which they answer for floating addresses; without, they have none. */
  floatingInterfaces?: readonly (string | null)[];
  /** Of all hosts, as `--storage-pool` has them, `%` for the host's own folder: real files, also under simulated VMs. */
  storagePools?: readonly string[];
  facts?: Partial<HostFacts>;
}): Promise<SimulatedFleet> {
  const gatewayAddress = `127.0.0.1:${await findFreePort()}`;
  const test = await openTestControlPlane({ agents: 'grpc', gatewayAddress });
  const gateway = await startGateway(test.cp, { gateway: gatewayAddress, enrol: '127.0.0.1:0' });
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'kv-')));
  const agents = new Map<string, Agent>();
  const hosts: SimulatedHost[] = [];
  const { hostCpuCount } = options;
  const poolFolders: string[] = [];
  const facts = { ...(hostCpuCount === undefined ? {} : { hostCpuCount }), ...options.facts };
  for (let index = 0; index < options.hostCount; index += 1) {
    const parts = { test, gateway, folder: join(folder, `${index}`), vmCount: options.vmsPerHost };
    const storagePools = await foldersOfPools(options.storagePools ?? [], parts.folder);
    poolFolders.push(...storagePools);
    const overlayAddress = options.overlayAddresses?.[index] ?? null;
    const floatingInterface = options.floatingInterfaces?.[index] ?? null;
    const given = { overlayAddress, floatingInterface, storagePools };
    hosts.push(await aSimulatedHost({ ...parts, facts, agents, ...given }));
  }
  await vi.waitFor(async () => {
    const connected = await test.sql(
      `SELECT 1 FROM hosts WHERE connectivity = 'connected' AND capacity_vcpu_count > 0`,
    );
    if (connected.length < options.hostCount) throw new Error('not all hosts have reported yet');
  }, REPORT_WAIT);
  return {
    test,
    hosts,
    flavor: await aFlavor(test),
    imageId: await anImageWithContent(test),
    poolFolders,
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.close()));
      await gateway.close(1000);
      await test.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface HostParts {
  readonly test: TestControlPlane;
  readonly gateway: Gateway;
  readonly folder: string;
  readonly vmCount: number;
  readonly facts: Partial<HostFacts>;
  readonly agents: Map<string, Agent>;
  readonly overlayAddress: string | null;
  readonly floatingInterface: string | null;
  readonly storagePools: readonly string[];
}

/** Makes the folders that pools are to lie in. */
async function foldersOfPools(pools: readonly string[], ownFolder: string): Promise<string[]> {
  const named = pools.map((pool) => pool.replace('%', `${ownFolder}-p`));
  for (const pool of named) await mkdir(pool.slice(pool.indexOf(':') + 1), { recursive: true });
  return named;
}

async function aSimulatedHost({
  test,
  gateway,
  folder,
  vmCount,
  facts,
  agents,
  overlayAddress,
  floatingInterface,
  storagePools,
}: HostParts): Promise<SimulatedHost> {
  const name = aName('host');
  const { joinToken } = await createEnrolment(test.cp, test.admin, {
    hostName: name,
    validForSeconds: 600,
    labels: {},
  });
  const joinFile = `${folder}-join`;
  await writeFile(joinFile, joinToken, { mode: 0o600 });
  const machine = new FakeMachine(facts);
  const toldNetworks: HostNetworks[] = [];
  const networkFaults = new Map<string, string>();
  const openNetworks = async (): Promise<AgentNetworks> => ({
    keeper: await NetworkKeeper.open({
      file: `${folder}-networks.json`,
      apply: (desired) => {
        toldNetworks.push(desired);
        const faults = desired.networks.flatMap(({ id }) => {
          const message = networkFaults.get(id);
          return message === undefined ? [] : [{ networkId: id, error: new DomainError('host_fault', message) }];
        });
        return Promise.resolve(faults);
      },
      log: SILENT_LOG,
    }),
    metadata: null,
    probe: () =>
      Promise.resolve({
        networking: { kinds: ['nat', 'bridge', 'vxlan'], overlayAddress, floatingInterface },
        finding: { name: 'networks', value: 'nat, bridge, vxlan', evidence: 'simulated', remedy: null },
      }),
  });
  const start = async (): Promise<Agent> =>
    startAgent({
      ...(overlayAddress === null ? {} : { networks: await openNetworks() }),
      config: {
        stateDir: `${folder}-s`,
        runDir: `${folder}-r`,
        joinFile,
        enrolAddress: gateway.enrol,
        name,
        storagePool: [...storagePools],
        capacityVcpus: vmCount * VM_SIZE.vcpuCount,
        capacityMemoryBytes: vmCount * 2 * VM_SIZE.memoryBytes,
        capacityDiskBytes: vmCount * VM_SIZE.rootDiskBytes,
      },
      driver: new FakeDriver(machine),
      log: SILENT_LOG,
    });
  const agent = await start();
  const { hostId } = agent;
  agents.set(hostId, agent);
  const silence = async (): Promise<void> => {
    await agents.get(hostId)?.close();
    agents.delete(hostId);
  };
  const restart = async (): Promise<void> => {
    await silence();
    agents.set(hostId, await start());
  };
  const spoilImages = async (): Promise<void> => {
    const images = join(`${folder}-s`, 'images');
    for (const image of await readdir(images)) await writeFile(join(images, image), 'spoilt');
  };
  return { hostId, machine, toldNetworks, networkFaults, silence, restart, spoilImages };
}

async function anImageWithContent(test: TestControlPlane): Promise<ImageId> {
  const { bytes, sha256 } = aQcow2File(42);
  const request = { name: aName('image'), sha256, isPublic: true, labels: {} };
  const { id } = await createImage(test.cp, test.admin, request);
  await uploadImageContent(test.cp, test.admin, id, Readable.from([bytes]), bytes.byteLength);
  return id;
}
