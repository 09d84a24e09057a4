import { createHash } from 'node:crypto';
import { isAbsolute } from 'node:path';
import { InterfaceName, Ipv4Address, MIB, ResourceName } from '@kvorum/schema';
import { z } from 'zod';
import { PoolOptions } from './storage/pool-option.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST_PORT_PATTERN = /^(?:\[([0-9a-fA-F:]{2,45})\]|([A-Za-z0-9.-]{1,253})):(\d{1,5})$/;
const PORT_MAX = 65_535;

function parseHostPort(text: string): HostPort | null {
  const match = HOST_PORT_PATTERN.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > PORT_MAX ? null : { host, port };
}

export const hostPortText = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** As a gRPC target: a bare `unix:80` would be a socket, not a host of that name. */
export const grpcTarget = (address: HostPort): string => `dns:///${hostPortText(address)}`;

/** `host:port` as text, checked. */
export const HostPortText = z
  .string()
  .refine((text) => parseHostPort(text) !== null, { error: 'must be host:port, or [address]:port for IPv6' });

const HostPortShape = HostPortText.transform((text) => parseHostPort(text) as HostPort);

/** Addresses that mean "all of this machine": nobody can dial them. */
const WILDCARD_HOSTS = new Set(['0.0.0.0', '::', '*']);

const AbsolutePath = z.string().max(4096).refine(isAbsolute, { error: 'must be an absolute path' });
/** uid_t has 32 bits; the highest two mean "none" to some system calls. */
const UID_MAX = 2 ** 32 - 3;
/** As many as resolv.conf(5) takes (MAXNS). */
const NAME_SERVER_COUNT_MAX = 3;
/** Half of what one hard disk does: what guests write goes on beside it. */
const MERGE_BYTES_PER_SECOND = 64 * MIB;
const Amount = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/** The agent's whole configuration. Flags of the same names in kebab-case. */
export const AgentConfig = z
  .strictObject({
    stateDir: AbsolutePath,
    runDir: AbsolutePath.optional(),
    /** Port 0: picked at the first start and kept. */
    listen: HostPortShape.default({ host: '127.0.0.1', port: 0 }),
    /** The host part of the address we tell the control plane, where it is not the one we listen on. */
    advertiseHost: z.string().min(1).max(253).optional(),
    joinFile: AbsolutePath.optional(),
    enrolAddress: HostPortShape.optional(),
    name: ResourceName.optional(),
    allowEmulation: z.boolean().default(false),
    /** Offers KVM also where only software answers for it: right guests on wrong hardware are the operator's risk. */
    trustSoftwareKvm: z.boolean().default(false),
    capacityVcpus: Amount.optional(),
    capacityMemoryBytes: Amount.optional(),
    capacityDiskBytes: Amount.optional(),
    /** Kept for the host's own programs: CPUs that no VM has for itself (default: one core), and memory (5 %, at least 1 GiB). */
    hostCpus: Amount.optional(),
    hostMemoryBytes: Amount.optional(),
    /** Each VM under a user id of its own. Default: where the agent runs as root; without, all run under its own user. */
    vmUsers: z.enum(['own', 'shared']).optional(),
    /** Instead of the ids that systemd leaves to nobody, where a container knows fewer. */
    vmUidFirst: z.coerce.number().int().min(1).max(UID_MAX).optional(),
    vmUidCount: z.coerce.number().int().min(1).max(UID_MAX).optional(),
    /** Networks for VMs: interfaces, namespaces and rules of this host are made by the agent. */
    networks: z.boolean().default(false),
    /** Of this host, between hosts: overlays go over it. Without one it has none. */
    overlayAddress: Ipv4Address.optional(),
    /** Of this host, towards the world outside: it answers there for floating addresses. Without one it has none. */
    floatingInterface: InterfaceName.optional(),
    /** Whom guests' names are asked that are none of ours: addresses with commas between them. Without any, only ours are known. */
    nameServers: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(Ipv4Address).max(NAME_SERVER_COUNT_MAX))
      .optional(),
    /** Storage pools of this host: what its operator gives for volumes. */
    storagePool: PoolOptions.default([]),
    /** What the merging of layers of volumes may write while VMs have them open. */
    mergeBytesPerSecond: Amount.default(MERGE_BYTES_PER_SECOND),
    /** Of pools in Ceph: where its monitors are, as whom this host comes, and the keyring of that user. */
    cephConf: AbsolutePath.default('/etc/ceph/ceph.conf'),
    cephUser: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, { error: 'must be the name of a client of Ceph, without "client."' })
      .default('kvorum'),
    /** Default: /etc/ceph/ceph.client.USER.keyring. */
    cephKeyring: AbsolutePath.optional(),
    logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  })
  .refine((config) => config.advertiseHost !== undefined || !WILDCARD_HOSTS.has(config.listen.host), {
    path: ['advertiseHost'],
    error: 'is needed when the agent listens on all addresses',
  })
  .refine(
    ({ networks, overlayAddress, floatingInterface, nameServers }) =>
      networks || (overlayAddress ?? floatingInterface ?? nameServers) === undefined,
    { path: ['networks'], error: 'is needed with --overlay-address, --floating-interface and --name-servers' },
  );
export type AgentConfig = z.infer<typeof AgentConfig>;
/** What a caller writes: texts for addresses, defaults left out. */
export type AgentOptions = z.input<typeof AgentConfig>;

/** Short, as sockets lie below it, and different for each state folder of a machine. */
export const defaultRunDir = (stateDir: string): string => `${RUN_ROOT}/${nameOf(stateDir)}`;
/** Above the folders of all agents of this machine. */
export const RUN_ROOT = '/run/kvorum';

/** Control group of an agent's VMs, below the mounted tree. */
export const cgroupParentOf = (stateDir: string): string => `kvorum-${nameOf(stateDir)}`;

const nameOf = (stateDir: string): string => createHash('sha256').update(stateDir).digest('hex').slice(0, 8);
