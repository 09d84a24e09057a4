import { access, constants } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { DomainError, type HostFinding, type HostNetworking } from '@kvorum/schema';
import type { z } from 'zod';
import type { Command } from './plan-links.js';
import type { RunCommand } from './run-command.js';

export interface ProbeOptions {
  readonly run: RunCommand;
  /** Between hosts; null: this host has no overlays. */
  readonly overlayAddress: string | null;
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
export async function probeNetworking({ run, overlayAddress }: ProbeOptions): Promise<ProbedNetworking> {
  const fault = await findFault(run);
  if (fault !== null) {
    return { networking: { kinds: [], overlayAddress: null }, finding: { name: 'networks', value: 'none', ...fault } };
  }
  const kinds: HostNetworking['kinds'] = ['nat', 'bridge'];
  const isOverlaid = overlayAddress !== null && ownAddresses().includes(overlayAddress);
  if (isOverlaid) kinds.push('vxlan');
  const evidence =
    overlayAddress === null
      ? 'no address for overlays is given'
      : isOverlaid
        ? `overlays use ${overlayAddress}`
        : `no interface of this host has ${overlayAddress}, which is given for overlays`;
  const remedy = isOverlaid ? null : 'give the agent an address of this host with --overlay-address for vxlan';
  return {
    networking: { kinds, overlayAddress: isOverlaid ? overlayAddress : null },
    finding: { name: 'networks', value: kinds.join(', '), evidence, remedy },
  };
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
