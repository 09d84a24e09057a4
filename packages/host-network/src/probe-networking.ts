import { access, constants } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { DomainError, type HostFinding, type HostNetworking } from '@kvorum/schema';
import type { z } from 'zod';
import { isOurLink } from './object-names.js';
import type { Command, LinkFacts } from './plan-links.js';
import { readLinks } from './read-host.js';
import type { RunCommand } from './run-command.js';

export interface ProbeOptions {
  readonly run: RunCommand;
  /** Between hosts; null: this host has no overlays. */
  readonly overlayAddress: string | null;
  /** By which it is to answer for floating addresses; null: it has none. */
  readonly floatingInterface: string | null;
}

export interface ProbedNetworking {
  readonly networking: HostNetworking;
  readonly finding: z.infer<typeof HostFinding>;
}

/** Each asks for what networks need it for, and changes nothing. */
const TOOLS: readonly { readonly command: Command; readonly remedy: string }[] = [
  { command: ['ip', '-json', 'netns', 'list'], remedy: 'install iproute2' },
  { command: ['bridge', '-json', 'link', 'show'], remedy: 'install iproute2' },
  {
    command: ['nft', 'list', 'tables'],
    remedy: 'install nftables, and let the agent have CAP_NET_ADMIN (deploy/systemd/kvorum-agent.service.d)',
  },
  { command: ['sysctl', '-n', 'net.ipv4.ip_forward'], remedy: 'install procps' },
  { command: ['dnsmasq', '--version'], remedy: 'install dnsmasq-base' },
];
const TUN_DEVICE = '/dev/net/tun';

/** What this host can do of networks now, and why not more. */
export async function probeNetworking({
  run,
  overlayAddress,
  floatingInterface,
}: ProbeOptions): Promise<ProbedNetworking> {
  const fault = await findFault(run);
  if (fault !== null) {
    return {
      networking: { kinds: [], overlayAddress: null, floatingInterface: null },
      finding: { name: 'networks', value: 'none', ...fault },
    };
  }
  const overlay = probeOverlay(overlayAddress);
  const floating = probeFloating(floatingInterface, await readLinks(run));
  const kinds: HostNetworking['kinds'] = ['nat', 'bridge', ...(overlay.given === null ? [] : (['vxlan'] as const))];
  const value = [...kinds, ...(floating.given === null ? [] : ['floating addresses'])].join(', ');
  return {
    networking: { kinds, overlayAddress: overlay.given, floatingInterface: floating.given },
    finding: {
      name: 'networks',
      value,
      evidence: `${overlay.evidence}; ${floating.evidence}`,
      remedy: [overlay.remedy, floating.remedy].filter((remedy) => remedy !== null).join('; ') || null,
    },
  };
}

interface Probed {
  /** Null: the host cannot. */
  readonly given: string | null;
  readonly evidence: string;
  readonly remedy: string | null;
}

function probeOverlay(address: string | null): Probed {
  const remedy = 'give the agent an address of this host with --overlay-address for vxlan';
  if (address === null) return { given: null, evidence: 'no address for overlays is given', remedy };
  if (ownAddresses().includes(address)) return { given: address, evidence: `overlays use ${address}`, remedy: null };
  return { given: null, evidence: `no interface of this host has ${address}, which is given for overlays`, remedy };
}

/** Hosts without floating addresses are as they should be: there is a remedy only for one that was to have them. */
function probeFloating(name: string | null, links: readonly LinkFacts[]): Probed {
  if (name === null) return { given: null, evidence: 'no interface for floating addresses is given', remedy: null };
  const found = links.find((link) => link.name === name);
  if (found?.isUp === true && !isOurLink(name)) {
    return { given: name, evidence: `floating addresses use ${name}`, remedy: null };
  }
  const evidence = `floating addresses cannot use ${name}: ${found === undefined ? 'it is not there' : 'it is down, or ours'}`;
  return { given: null, evidence, remedy: `bring ${name} up, or give another interface with --floating-interface` };
}

async function findFault(run: RunCommand): Promise<{ evidence: string; remedy: string } | null> {
  for (const { command, remedy } of TOOLS) {
    const fault = await run(command).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (fault === null) continue;
    if (!(fault instanceof DomainError)) throw fault;
    return { evidence: fault.message, remedy };
  }
  const canOpenTaps = await access(TUN_DEVICE, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (canOpenTaps) return null;
  return {
    evidence: `${TUN_DEVICE} cannot be opened`,
    remedy: 'load the module tun, and let the agent open the device',
  };
}

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
