import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  applyNetworks,
  FloatingAnnouncer,
  MetadataServer,
  openRunner,
  type ProbedNetworking,
  probeNetworking,
} from '@kvorum/host-network';
import { announceAddresses } from '@kvorum/hypervisor-driver';
import type { AgentConfig } from '../config.js';
import type { Log } from '../log.js';
import type { StateFolders } from '../state/state-folders.js';
import { NetworkKeeper } from './network-keeper.js';

/** What the host can do of networks, and who keeps them. */
export interface AgentNetworks {
  readonly keeper: NetworkKeeper;
  /** Tells guests who they are. Null: nobody does. */
  readonly metadata: MetadataServer | null;
  probe(): Promise<ProbedNetworking>;
}

/** dnsmasq, under a user of its own, has to pass. */
const PASSAGE_MODE = 0o711;

/** Null: this agent makes no networks, as it was not told to. */
export async function openNetworks(
  config: AgentConfig,
  folders: StateFolders,
  log: Log,
): Promise<AgentNetworks | null> {
  if (!config.networks) return null;
  const overlayAddress = config.overlayAddress ?? null;
  const run = openRunner();
  await mkdir(folders.networks, { recursive: true });
  await chmod(folders.networks, PASSAGE_MODE);
  const metadata = new MetadataServer();
  const floatingInterface = config.floatingInterface ?? null;
  const announcer = new FloatingAnnouncer(announceAddresses);
  const floating = floatingInterface === null ? {} : { floating: { interfaceName: floatingInterface, announcer } };
  const options = { run, stateDir: folders.networks, metadata, ...floating };
  const keeper = await NetworkKeeper.open({
    file: join(folders.networks, 'desired.json'),
    apply: (desired) =>
      applyNetworks({ ...desired, hostAddress: overlayAddress, resolvers: config.nameServers ?? [] }, options),
    log,
  });
  return { keeper, metadata, probe: () => probeNetworking({ run, overlayAddress, floatingInterface }) };
}
