import { join } from 'node:path';
import type { HypervisorDriver } from '@kvorum/hypervisor-driver';
import type { SiteGatewayClient } from '@kvorum/schema/agent-wire';
import type { AgentParts } from './agent-parts.js';
import type { PressureSource } from './balloon/host-pressure.js';
import { KernelPressure } from './balloon/kernel-pressure.js';
import { findInstance } from './cloud-init/find-instance.js';
import { AgentConfig, type AgentOptions, defaultRunDir, type HostPort, hostPortText } from './config.js';
import { ConsoleSessions } from './console/console-sessions.js';
import { HostCpus } from './cpu/host-cpus.js';
import { ensureIdentity } from './enrol/ensure-identity.js';
import type { Identity } from './enrol/identity.js';
import { FreezeKeeper } from './guest/freeze-keeper.js';
import { GuestCommands } from './guest/guest-commands.js';
import { openInventory } from './host/open-inventory.js';
import { ImageCache } from './image/image-cache.js';
import { imageSourcesOf } from './image/image-sources.js';
import type { Log } from './log.js';
import { ImageOffers } from './move/image-offers.js';
import { type AgentNetworks, openNetworks } from './network/open-networks.js';
import { openKeepers } from './open-keepers.js';
import { removeUnpublished } from './publish/publish-disk.js';
import { LeaseRecord } from './report/lease-record.js';
import { ReportCounter } from './report/report-counter.js';
import { ReportStream } from './report/report-stream.js';
import { ReportWriter } from './report/report-writer.js';
import { type AgentServer, serve } from './rpc/serve.js';
import { startBackground } from './start-background.js';
import { chooseListenAddress } from './state/listen-address.js';
import { StateFolders } from './state/state-folders.js';
import { StateLock } from './state/state-lock.js';
import { openPools } from './storage/open-pools.js';
import { TemplateStore } from './template/template-store.js';
import { gatewayClient } from './trust/gateway-client.js';
import { recoverVms } from './vm/recover-vms.js';
import { VmDirectory } from './vm/vm-directory.js';
import type { VmHost } from './vm/vm-host.js';
import { VmRecordFiles } from './vm/vm-record-files.js';

export interface StartAgentOptions {
  readonly config: AgentOptions;
  readonly driver: HypervisorDriver;
  readonly log: Log;
  /** Where the host's memory pressure is read; default: the kernel. */
  readonly pressure?: PressureSource;
  /** Who makes networks; default: as the configuration says. */
  readonly networks?: AgentNetworks;
  /** Gives up waiting for the control plane while enrolling. */
  readonly signal?: AbortSignal;
}

export interface Agent {
  /** Where the control plane reaches it: host:port. */
  readonly address: string;
  readonly hostId: string;
  readonly name: string;
  /** What VMs run on by default; null: none can. */
  readonly accelerator: 'kvm' | 'tcg' | null;
  readonly vmCount: number;
  readonly lease: LeaseRecord;
  /** Stops serving and lets go of the VMs, which go on. */
  close(): Promise<void>;
}

/**
 * One host's agent: enrolled, in charge of the VMs that run, serving and reporting. Several may run in one process, each
 * with its own folders. Throws DomainError; then nothing of it runs.
 */
export async function startAgent(options: StartAgentOptions): Promise<Agent> {
  const config = AgentConfig.parse(options.config);
  const folders = new StateFolders(config.stateDir, config.runDir ?? defaultRunDir(config.stateDir));
  await folders.create();
  const lock = await StateLock.acquire(folders.stateDir);
  try {
    return await startLocked(config, options, folders, lock);
  } catch (thrown) {
    await lock.release();
    throw thrown;
  }
}

async function startLocked(
  config: AgentConfig,
  { driver, log, signal, pressure = new KernelPressure(), networks: given }: StartAgentOptions,
  folders: StateFolders,
  lock: StateLock,
): Promise<Agent> {
  await removeUnpublished(folders);
  const listen = await chooseListenAddress(folders.stateDir, config.listen);
  const address = hostPortText({ host: config.advertiseHost ?? listen.host, port: listen.port });
  const identity = await ensureIdentity(config, folders, address, log, signal ?? new AbortController().signal);
  const client = gatewayClient(identity, 'reports');
  const networks = given ?? (await openNetworks(config, folders, log));
  const parts = await assemble({ config, driver, log, pressure, folders, identity, client, address, networks }).catch(
    (thrown) => {
      client.close();
      throw thrown;
    },
  );
  const server = await startServing(parts, listen, identity, log).catch(async (thrown) => {
    await parts.directory.close();
    client.close();
    throw thrown;
  });
  const stopBackground = startBackground(parts, log);
  return {
    address,
    hostId: identity.hostId,
    name: identity.name,
    accelerator: parts.inventory.latest.accelerators[0] ?? null,
    get vmCount() {
      return parts.directory.snapshots().length;
    },
    lease: parts.lease,
    close: async () => {
      stopBackground();
      parts.consoles.close();
      await parts.balloons.close();
      await parts.merges.close();
      await parts.stream.close();
      // Actors first: a guest's grace period must not hold up the server, whose open calls end with it.
      await parts.directory.close();
      await server.close();
      await parts.networks?.keeper.close();
      parts.networks?.metadata?.closeOthers(() => false);
      await parts.images.close();
      client.close();
      await lock.release();
    },
  };
}

interface Assembly {
  readonly config: AgentConfig;
  readonly driver: HypervisorDriver;
  readonly log: Log;
  readonly pressure: PressureSource;
  readonly folders: StateFolders;
  readonly identity: Identity;
  readonly client: SiteGatewayClient;
  readonly address: string;
  readonly networks: AgentNetworks | null;
}

/** Builds the parts and takes charge of the VMs that run; nothing is served or reported yet. */
async function assemble({
  config,
  driver,
  log,
  pressure,
  folders,
  identity,
  client,
  address,
  networks,
}: Assembly): Promise<AgentParts> {
  const inventory = await openInventory(config, driver, pressure, folders, networks);
  const images = new ImageCache(folders, imageSourcesOf(identity), () => imagesInUse([directory, templates]), log);
  await images.removeLeftovers();
  const counter = await ReportCounter.open(join(folders.stateDir, 'report-counter.json'));
  const records = new VmRecordFiles(folders);
  const { topology, accelerators } = inventory.latest;
  const cpus = new HostCpus(topology);
  const templates = await TemplateStore.open({
    driver,
    folders,
    inUse: () => directory.templatesInUse(),
    log,
  });
  const pools = await openPools({ config, folders, identity, onChange: () => stream.factsChanged(), log });
  const host: VmHost = {
    driver,
    folders,
    records,
    cpus,
    placeThreads: () => keepers.keeper.apply(),
    accelerators,
    newestMachineType: () => inventory.latest.facts.qemuMachineType,
    machineTypes: () => inventory.latest.facts.machineTypes,
    imagePath: (sha256) => images.pathOf(sha256),
    templates,
    portOf: async (portId) => (await networks?.keeper.portOf(portId)) ?? null,
    pools,
    merges: { holding: (volumeIds, task) => keepers.merges.holding(volumeIds, task) },
    onChange: (vmId) => stream.vmChanged(vmId),
    log,
  };
  const directory = new VmDirectory(host, await records.loadAll());
  const freezes = await FreezeKeeper.open({ folder: folders.freezes, runOf: (vmId) => directory.runOf(vmId), log });
  const actors = () => directory.actors;
  const keepers = openKeepers({ actors, onChange: host.onChange, cpus, pressure, pools, config, log });
  const writer = new ReportWriter({ directory, ...keepers, cpus, inventory, counter, pools, templates, address });
  const lease = new LeaseRecord();
  const isPresent = (vmId: string) => (directory.find(vmId)?.snapshot() ?? null) !== null;
  const stream = new ReportStream({ client, writer, lease, isPresent, log });
  if (networks !== null) {
    const { keeper, metadata } = networks;
    metadata?.answerBy((networkId, guestAddress) => findInstance({ keeper, directory }, networkId, guestAddress));
  }
  // Taps come before whoever may want them; QEMU processes that run hold theirs.
  networks?.keeper.start();
  await pools.start();
  await recoverVms(host, directory).catch(async (thrown) => {
    await directory.close();
    throw thrown;
  });
  const consoles = new ConsoleSessions(directory, folders);
  const commands = new GuestCommands(log);
  const talk = { consoles, commands, freezes, networks, templates, pools, siteId: identity.siteId, log };
  const between = { host, identity, imageOffers: new ImageOffers(), moves: { receivingCount: 0 } };
  return { folders, directory, images, inventory, writer, cpus, stream, lease, ...keepers, ...talk, ...between };
}

/** By any of them. Null: one of them does not know. */
function imagesInUse(users: readonly { imagesInUse(): string[] | null }[]): ReadonlySet<string> | null {
  const used = users.map((user) => user.imagesInUse());
  return used.includes(null) ? null : new Set(used.flatMap((digests) => digests ?? []));
}

function startServing(parts: AgentParts, listen: HostPort, identity: Identity, log: Log): Promise<AgentServer> {
  return serve({ listen, identity, services: parts, log });
}
