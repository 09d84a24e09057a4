import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { type HostNamespace, type HostNamespaces, openHostNamespaces } from '../e2e/host-namespaces.js';
import { MIB, operationEnd, type Site, startSite, type TestHost } from '../e2e/site.js';
import { guestImage } from '../support/guest-images.js';
import { type HostDisk, openHostDisk } from './host-disk.js';

const exec = promisify(execFile);
/** systemd and cloud-init under emulation: a minute on an idle machine, several on shared cores. */
const BOOT_MS_MAX = 1_200_000;
export const SEEN_MS_MAX = 60_000;
/** Verbs on volumes, some of them copies of a gigabyte, and what is tried again after a loss of power. */
export const CHANGE_MS_MAX = 300_000;
export const HOOK_MS_MAX = 2_400_000;
/** Asked more often, a guest would have no time for anything else. */
const BOOT_POLL_MS = 3_000;
const OUT = { direction: 'egress' };
/** Slow enough that there is an amid. */
const MERGE_BYTES_PER_SECOND = 4 * MIB;
const OUTPUT_BYTES_MAX = 64 * MIB;

export const GUESTS = ['web', 'db'] as const;
export type Guest = (typeof GUESTS)[number];
export const ROOT_MIB = 2048;
export const DATA_MIB = 256;
export const DATA_DISK = '/dev/disk/by-id/virtio-data';
export const WORDS = 'written by cloud-init';
const USER_DATA = `#cloud-config\nwrite_files:\n  - path: /run/kvorum-user-data\n    content: "${WORDS}"\n`;

export const ingress = (port: number) => ({ direction: 'ingress', protocol: 'tcp', portMin: port, portMax: port });
export const ICMP = { direction: 'ingress', protocol: 'icmp' };

/** A VM, the host that it is on, and its volumes there. */
export interface DebianGuest {
  readonly name: Guest;
  readonly vmId: string;
  readonly poolId: string;
  readonly host: TestHost;
  readonly place: HostNamespace;
  readonly disk: HostDisk;
  readonly address: string;
  readonly macAddress: string;
  readonly volumes: { readonly root: string; readonly data: string };
}

export interface DebianSite {
  readonly site: Site;
  readonly networkId: string;
  readonly publicKey: string;
  readonly guests: Readonly<Record<Guest, DebianGuest>>;
  /** The rules of the group that both guests are in, besides SSH and all that goes out. */
  allow(...rules: object[]): Promise<unknown>;
  inGuest(guest: Guest, script: string): Promise<{ code: number; words: string }>;
  /** As `inGuest`, of a script that has to end well. */
  told(guest: Guest, script: string): Promise<string>;
  /** Runs a program where a host's gateway of the network is. */
  fromGateway(guest: Guest, ...command: string[]): Promise<string>;
  /** As `fromGateway`, while it runs. */
  startAtGateway(guest: Guest, ...command: string[]): ChildProcess;
  /** A script in the guest by SSH, with root's rights; its output goes on for as long as it runs. */
  ssh(guest: Guest, script: string): ChildProcess;
  /** Asks for an operation and waits for its good end. Returns the id of what it was about. */
  done(method: string, url: string, body?: object): Promise<string>;
  /** Until its guest agent answers. */
  answering(guest: Guest): Promise<void>;
  /** Until cloud-init has done what it does at each boot, too. */
  booted(guest: Guest): Promise<void>;
  close(): Promise<void>;
}

/** Two hosts, each a network namespace with a disk of its own and a real agent, and a whole Debian on each. */
export async function openDebianSite(): Promise<DebianSite> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const undo of closers.splice(0).reverse()) await undo();
  };
  try {
    return { ...(await open(closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(closers: (() => Promise<unknown>)[]): Promise<Omit<DebianSite, 'close'>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kvorum-debian-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const keyFile = path.join(folder, 'key');
  await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', keyFile]);
  const publicKey = (await readFile(`${keyFile}.pub`, 'utf8')).trim();
  const places = await openHostNamespaces('ktdeb', GUESTS.length);
  closers.push(() => places.close());
  const disks: HostDisk[] = [];
  for (const [index, place] of places.hosts.entries()) {
    const disk = await openHostDisk(place, folder, `disk-${index}`);
    closers.push(async () => {
      await place.endProcesses();
      await disk.close();
    });
    await place.run('mkdir', '-m', '711', `${disk.path}/pool`);
    disks.push(disk);
  }
  const site = await startSite(siteOptions(places, disks));
  closers.push(() => site.close());
  const calls = callsOf(site);
  const network = { name: 'shop', cidr: '10.20.0.0/24', kind: 'vxlan' };
  const networkId = String((await site.rest.expect(201, 'POST', '/v1/networks', network)).body['id']);
  const groupId = String((await site.rest.expect(201, 'POST', '/v1/security-groups', { name: 'quiet' })).body['id']);
  const allow = (...rules: object[]) =>
    site.rest.expect(200, 'PATCH', `/v1/security-groups/${groupId}`, { rules: [OUT, ingress(22), ...rules] });
  await allow();
  const guests = await makeGuests(site, { networkId, groupId, publicKey, places, disks });
  const gateway = (guest: Guest) => [...guests[guest].place.through, 'ip', 'netns', 'exec', `kvorum-${networkId}`];
  const startAtGateway = (guest: Guest, ...command: string[]): ChildProcess => {
    const [program = '', ...args] = [...gateway(guest), ...command];
    return spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  };
  const inGuest = (guest: Guest, script: string) => calls.inVm(guests[guest].vmId, script);
  const opened = {
    ...{ site, networkId, publicKey, guests, allow, inGuest, startAtGateway, done: calls.done },
    told: async (guest: Guest, script: string) => {
      const { code, words } = await inGuest(guest, script);
      expect(code, `${script}\n${words}`).toBe(0);
      return words;
    },
    fromGateway: async (guest: Guest, ...command: string[]) => {
      const [program = '', ...args] = [...gateway(guest), ...command];
      return (await exec(program, args, { timeout: SEEN_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX })).stdout.trim();
    },
    ssh: (guest: Guest, script: string) => {
      const options = [
        'StrictHostKeyChecking=no',
        'UserKnownHostsFile=/dev/null',
        'BatchMode=yes',
        'ConnectTimeout=30',
      ];
      const login = ['ssh', '-q', '-i', keyFile, ...options.flatMap((option) => ['-o', option])];
      return startAtGateway(guest, ...login, `debian@${guests[guest].address}`, `sudo sh -c ${quoted(script)}`);
    },
    answering: (guest: Guest) => waitFor(site, guests[guest].vmId, 'true'),
    booted: (guest: Guest) => waitFor(site, guests[guest].vmId, 'test -s /run/cloud-init/result.json'),
  };
  await Promise.all(GUESTS.map((guest) => opened.booted(guest)));
  return opened;
}

const quoted = (script: string): string => `'${script.replaceAll("'", `'\\''`)}'`;

const siteOptions = (places: HostNamespaces, disks: readonly HostDisk[]) => ({
  hostNames: GUESTS.map((guest) => `host-of-${guest}`),
  address: places.address,
  places: places.hosts.map(({ address, through }, index) => ({
    ...{ address, through },
    stateDir: `${disks[index]?.path}/state`,
    flags: [
      ...['--networks', '--overlay-address', address, '--storage-pool', `fast=dir:${disks[index]?.path}/pool`],
      ...['--merge-bytes-per-second', String(MERGE_BYTES_PER_SECOND)],
    ],
  })),
});

function callsOf({ rest }: Site) {
  return {
    inVm: async (vmId: string, script: string) => {
      const body = { command: ['sh', '-c', script], timeoutMs: 120_000 };
      const answer = await rest.expect(200, 'POST', `/v1/vms/${vmId}/exec`, body);
      const { exitCode, stdout, stderr } = answer.body;
      return { code: Number(exitCode), words: `${stdout}${Number(exitCode) === 0 ? '' : stderr}`.trim() };
    },
    done: async (method: string, url: string, body?: object): Promise<string> => {
      const answer = await rest.expect(202, method, url, body);
      const { id } = answer.body['operation'] as { id: string };
      const end = await operationEnd(rest, id, CHANGE_MS_MAX);
      expect(end['state'], JSON.stringify(end)).toBe('succeeded');
      return String(answer.body['resourceId']);
    },
  };
}

/** Until the script ends well in the guest. */
async function waitFor(site: Site, vmId: string, script: string): Promise<void> {
  const { inVm } = callsOf(site);
  await eventually(`in VM ${vmId}: ${script}`, BOOT_MS_MAX, async () => {
    await sleep(BOOT_POLL_MS);
    const { body } = await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`);
    return (body['guest'] as { agent: string }).agent === 'responding' && (await inVm(vmId, script)).code === 0;
  });
}

async function makeGuests(
  site: Site,
  at: { networkId: string; groupId: string; publicKey: string; places: HostNamespaces; disks: readonly HostDisk[] },
): Promise<Record<Guest, DebianGuest>> {
  const imageId = await site.uploadImage('debian', (await guestImage('debian')).path);
  const flavorId = await site.createFlavor('medium', 512, ROOT_MIB);
  const made = await Promise.all(
    GUESTS.map(async (name, index): Promise<[Guest, DebianGuest]> => {
      const [host, place, disk] = [site.hosts[index], at.places.hosts[index], at.disks[index]];
      if (host === undefined || place === undefined || disk === undefined) throw new RangeError('a host per guest');
      const poolId = await poolOf(site, host);
      const nics = [{ backend: { kind: 'network', networkId: at.networkId, securityGroupIds: [at.groupId] } }];
      const dataDisks = [{ sizeBytes: DATA_MIB * MIB, poolId, serial: 'data' }];
      const hardware = { devices: { nics, rootDisk: { poolId }, dataDisks } };
      const cloudInit = { sshAuthorizedKeys: [at.publicKey], userData: USER_DATA };
      const created = await site.createVm({ name, imageId, flavorId, cloudInit, hardware, hostId: host.id });
      const { vmId } = created;
      const end = await operationEnd(site.rest, created.operationId, BOOT_MS_MAX);
      expect(end['state'], JSON.stringify(end)).toBe('succeeded');
      const ports = await site.rest.expect(200, 'GET', `/v1/networks/${at.networkId}/ports?vmId=${vmId}`);
      const [port] = ports.body['items'] as { address: string; macAddress: string }[];
      if (port === undefined) throw new TypeError(`${name} has a port`);
      const { address, macAddress } = port;
      const volumes = { root: await volumeOf(site, vmId, 'root'), data: await volumeOf(site, vmId, 'data') };
      return [name, { name, vmId, poolId, host, place, disk, address, macAddress, volumes }];
    }),
  );
  return Object.fromEntries(made) as Record<Guest, DebianGuest>;
}

async function volumeOf(site: Site, vmId: string, role: 'root' | 'data'): Promise<string> {
  const { body } = await site.rest.expect(200, 'GET', `/v1/volumes?vmId=${vmId}`);
  const found = (body['items'] as { id: string; role: string }[]).find((volume) => volume.role === role);
  if (found === undefined) throw new TypeError(`the VM has a ${role} disk on a pool`);
  return found.id;
}

/** Hosts may give pools the same name. */
async function poolOf(site: Site, host: TestHost): Promise<string> {
  const found = await eventually(`the pool of ${host.name} is known`, SEEN_MS_MAX, async () => {
    const { body } = await site.rest.expect(200, 'GET', '/v1/storage-pools?name=fast');
    return (body['items'] as { id: string; hosts: { id: string }[] }[]).find(({ hosts }) =>
      hosts.some(({ id }) => id === host.id),
    );
  });
  await site.rest.expect(200, 'PATCH', `/v1/storage-pools/${found.id}`, { overcommitRatio: 4 });
  return found.id;
}
