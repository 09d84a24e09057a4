import { DomainError } from '@kvorum/schema';
import type { DesiredNetworks, HostNetwork, NatNetwork, OverlayNetwork } from './desired-networks.js';
import { dnsmasqFolder, ensureDnsmasq, listDnsmasqs, removeDnsmasq } from './dnsmasq-process.js';
import type { FloatingAnnouncer } from './floating-announcer.js';
import type { MetadataServer } from './metadata/metadata-server.js';
import { namespaceName, networkOfNamespace } from './object-names.js';
import {
  type FloatingFacts,
  floatingAddressesOf,
  floatingFault,
  planFloating,
  planFloatingSweep,
} from './plan-floating.js';
import { planGateway } from './plan-gateway.js';
import { type Command, type LinkFacts, planLinks, planSweep, wireFault } from './plan-links.js';
import { planPeers } from './plan-peers.js';
import { readAddresses, readFloating, readLinks, readNamespaces, readPeers } from './read-host.js';
import { renderDnsmasq } from './render-dnsmasq.js';
import { renderGatewayRules } from './render-gateway-rules.js';
import { renderRuleset } from './render-ruleset.js';
import type { RunCommand } from './run-command.js';

export interface ApplyOptions {
  readonly run: RunCommand;
  /** Files of the DHCP and DNS servers; its folders must let other users pass. */
  readonly stateDir: string;
  /** Tells guests who they are; left out: nobody does. */
  readonly metadata?: Pick<MetadataServer, 'ensure' | 'closeOthers'>;
  /** The interface by which the host answers for floating addresses; left out: it can have none. */
  readonly floating?: { readonly interfaceName: string; readonly announcer: Pick<FloatingAnnouncer, 'ensure'> };
}

/** What was found on the host before anything was made. */
interface Found {
  readonly links: readonly LinkFacts[];
  readonly floating: FloatingFacts;
  /** Of the host itself. */
  readonly addresses: ReadonlySet<string>;
}

/** Why a network is not as it is desired to be. */
export interface NetworkFault {
  readonly networkId: string;
  readonly error: DomainError;
}

/**
 * Makes the host have the networks that are desired, and none else of ours: what has no owner any more is taken away. May be
 * repeated, also after it broke off anywhere. One call at a time per host. A network that cannot be made as desired keeps no
 * other from it; the answer names each.
 *
 * The rules come first and name what is still to be made, so that no port is ever open without them.
 */
export async function applyNetworks(desired: DesiredNetworks, options: ApplyOptions): Promise<NetworkFault[]> {
  const { run } = options;
  if (desired.networks.length > 0) await setKernelSwitches(desired, run);
  await run(['nft', '-f', '-'], renderRuleset(desired));
  const floating = await readFloating(run);
  await runAll(run, planFloatingSweep(desired, options.floating?.interfaceName ?? null, floating));
  const served = desired.networks.filter(hasNamespace);
  const namespaces = new Set(await readNamespaces(run));
  // Of a namespace that is not there, whoever took it away, a socket is left that nobody reaches.
  options.metadata?.closeOthers(
    (id) => served.some((network) => network.id === id) && namespaces.has(namespaceName(id)),
  );
  await sweepNamespaces(served, options);
  await addNamespaces(served, run);
  await runAll(run, planSweep(desired, await readLinks(run)));
  const found = { links: await readLinks(run), floating, addresses: await readAddresses(run) };
  const faults: NetworkFault[] = [];
  for (const network of desired.networks) {
    try {
      await applyNetwork(network, desired, found, options);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      faults.push({ networkId: network.id, error });
    }
  }
  await announce(
    desired.networks.filter(({ id }) => faults.every(({ networkId }) => networkId !== id)),
    options,
  );
  return faults;
}

async function announce(networks: readonly HostNetwork[], { floating }: ApplyOptions): Promise<void> {
  await floating?.announcer.ensure(floating.interfaceName, floatingAddressesOf({ networks }));
}

async function applyNetwork(
  network: HostNetwork,
  desired: DesiredNetworks,
  found: Found,
  options: ApplyOptions,
): Promise<void> {
  if (network.kind === 'vxlan' && desired.hostAddress === null) {
    throw new DomainError('host_fault', 'this host has no address for overlays; give its agent --overlay-address');
  }
  await runAll(options.run, planLinks(network, desired.hostAddress, found.links));
  if (hasNamespace(network)) await applyGateway(network, desired, options);
  if (network.kind === 'nat') await applyFloating(network, found, options);
  const fault = network.kind === 'bridge' ? wireFault(network, found.links) : null;
  if (fault !== null) throw new DomainError('host_fault', fault);
}

async function applyFloating(network: NatNetwork, found: Found, { run, floating }: ApplyOptions): Promise<void> {
  const fault = floatingFault(network, floating?.interfaceName ?? null, found.addresses);
  if (fault !== null) throw new DomainError('host_fault', fault);
  if (floating !== undefined) await runAll(run, planFloating(network, floating.interfaceName, found.floating));
}

const hasNamespace = (network: HostNetwork): network is NatNetwork | OverlayNetwork => network.kind !== 'bridge';

/** Bridged packets pass the rules of the inet family, and NAT networks are routed. */
async function setKernelSwitches({ networks }: DesiredNetworks, run: RunCommand): Promise<void> {
  await run(['sysctl', '-q', '-w', 'net.bridge.bridge-nf-call-iptables=1']);
  if (networks.some(({ kind }) => kind === 'nat')) await run(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
}

async function sweepNamespaces(served: readonly HostNetwork[], { run, stateDir }: ApplyOptions): Promise<void> {
  const isOwned = (networkId: string): boolean => served.some(({ id }) => id === networkId);
  for (const networkId of await listDnsmasqs(stateDir)) {
    if (!isOwned(networkId)) await removeDnsmasq(stateDir, networkId);
  }
  for (const name of await readNamespaces(run)) {
    const networkId = networkOfNamespace(name);
    if (networkId !== null && !isOwned(networkId)) await run(['ip', 'netns', 'delete', name]);
  }
}

async function addNamespaces(served: readonly HostNetwork[], run: RunCommand): Promise<void> {
  const existing = new Set(await readNamespaces(run));
  const missing = served.map(({ id }) => namespaceName(id)).filter((name) => !existing.has(name));
  await runAll(
    run,
    missing.map((name) => ['ip', 'netns', 'add', name]),
  );
}

async function applyGateway(
  network: NatNetwork | OverlayNetwork,
  { resolvers }: DesiredNetworks,
  { run, stateDir, metadata }: ApplyOptions,
): Promise<void> {
  const { id } = network;
  await runAll(run, planGateway(network));
  if (network.kind === 'vxlan') await runAll(run, planPeers(network, await readPeers(run, id)));
  const inside = ['ip', 'netns', 'exec', namespaceName(id)];
  if (network.kind === 'nat') await run([...inside, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  await run([...inside, 'nft', '-f', '-'], renderGatewayRules(network));
  await metadata?.ensure(id);
  await ensureDnsmasq(run, stateDir, id, renderDnsmasq(network, dnsmasqFolder(stateDir, id), resolvers));
}

/** One after the other: each builds on those before. */
async function runAll(run: RunCommand, commands: readonly Command[]): Promise<void> {
  for (const command of commands) await run(command);
}
