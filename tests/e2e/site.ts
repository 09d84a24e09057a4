import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findFreePort } from '../../scripts/services/free-port.mjs';
import { createTestDatabase } from '../support/database.js';
import { makeScratchFolder } from '../support/scratch-folder.js';
import { type Child, startChild } from './child-process.js';
import { eventually } from './eventually.js';
import { qemuPids, removeControlGroups } from './leftovers.js';
import { type ApiAnswer, type Rest, restOf } from './rest.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const API_MAIN = path.join(ROOT, 'apps/api/dist/main.js');
const AGENT_MAIN = path.join(ROOT, 'apps/node-agent/dist/main.js');
export const MIB = 1024 * 1024;

export interface TestHost {
  readonly name: string;
  readonly id: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly logPath: string;
  agent: Child;
  /** One more agent on the same folders, as an operator might start it by mistake. */
  startAnotherAgent(): Promise<Child>;
  restartAgent(how: 'stop' | 'kill'): Promise<void>;
}

export interface Site {
  readonly folder: string;
  readonly databaseUrl: string;
  /** Holds the first token, an admin's. */
  readonly tokenFile: string;
  readonly rest: Rest;
  readonly hosts: TestHost[];
  control: Child;
  /** Environment of a control-plane process of this site, for further workers. */
  readonly environment: Record<string, string>;
  uploadImage(name: string, file: string): Promise<string>;
  createFlavor(name: string, memoryMib: number, diskMib: number): Promise<string>;
  createVm(body: Record<string, unknown>): Promise<{ vmId: string; operationId: string }>;
  close(): Promise<void>;
}

export interface SiteOptions {
  readonly hostNames: readonly string[];
  readonly roles?: string;
  readonly redisUrl?: string;
  readonly databaseUrl?: string;
  /** Where hosts reach the control plane; default: this machine's loopback. */
  readonly address?: string;
  /** Of each host, where it is not this machine. */
  readonly places?: readonly HostPlace[];
}

/** A network namespace, for instance. */
export interface HostPlace {
  readonly address: string;
  /** What its agent is started with to run there. */
  readonly through: readonly string[];
  readonly flags: readonly string[];
  /** Where its agent keeps what it knows; default: a folder of the site. */
  readonly stateDir?: string;
}

const HERE: HostPlace = { address: '127.0.0.1', through: [], flags: [] };

/** A whole site of real processes: control plane and agents from the build, own database, own folders. */
export async function startSite(options: SiteOptions): Promise<Site> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const undo of closers.splice(0).reverse()) await undo();
  };
  try {
    return { ...(await start(options, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(options: SiteOptions, closers: (() => Promise<void> | void)[]): Promise<Omit<Site, 'close'>> {
  const scratch = makeScratchFolder();
  closers.push(() => scratch.remove());
  // Programs of hosts that run under users of their own have to pass.
  chmodSync(scratch.path, 0o711);
  const database = options.databaseUrl === undefined ? await createTestDatabase() : null;
  if (database !== null) closers.push(() => database.drop());
  const databaseUrl = options.databaseUrl ?? database!.url;
  const tokenFile = path.join(scratch.path, 'admin.token');
  const environment = await environmentOf(options, { databaseUrl, folder: scratch.path, tokenFile });
  const control = await startChild(API_MAIN, {
    env: environment,
    logPath: path.join(scratch.path, 'control-plane.log'),
    event: 'listening',
  });
  closers.push(() => control.stop());
  const rest = restOf(String(control.ready['url']), readFileSync(tokenFile, 'utf8').trim());
  const hosts: TestHost[] = [];
  const enrolAddress = String(control.ready['enrol']);
  for (const [index, name] of options.hostNames.entries()) {
    const place = options.places?.[index] ?? HERE;
    hosts.push(await enrolHost({ rest, folder: scratch.path, enrolAddress, name, place, closers }));
  }
  return {
    folder: scratch.path,
    databaseUrl,
    tokenFile,
    rest,
    hosts,
    control,
    environment,
    uploadImage: (name, file) => uploadImage(rest, name, file),
    createFlavor: async (name, memoryMib, diskMib) => {
      const body = { name, vcpuCount: 1, memoryBytes: memoryMib * MIB, rootDiskBytes: diskMib * MIB };
      return String((await rest.expect(201, 'POST', '/v1/flavors', body)).body['id']);
    },
    createVm: async (body) => {
      const answer = await rest.expect(202, 'POST', '/v1/vms', body);
      const operation = answer.body['operation'] as { id: string };
      return { vmId: String(answer.body['resourceId']), operationId: operation.id };
    },
  };
}

async function environmentOf(
  options: SiteOptions,
  at: { databaseUrl: string; folder: string; tokenFile: string },
): Promise<Record<string, string>> {
  return {
    KVORUM_DATABASE_URL: at.databaseUrl,
    KVORUM_DATA_DIR: path.join(at.folder, 'cp'),
    KVORUM_LISTEN: '127.0.0.1:0',
    // Known beforehand: hosts are told these addresses when they enrol, and keep them.
    KVORUM_GATEWAY_LISTEN: `${options.address ?? HERE.address}:${await findFreePort()}`,
    KVORUM_ENROL_LISTEN: `${options.address ?? HERE.address}:${await findFreePort()}`,
    KVORUM_BOOTSTRAP_TOKEN_FILE: at.tokenFile,
    KVORUM_ROLES: options.roles ?? 'api,worker,reconciler',
    ...(options.redisUrl === undefined ? {} : { KVORUM_REDIS_URL: options.redisUrl }),
  };
}

async function enrolHost(at: {
  rest: Rest;
  folder: string;
  enrolAddress: string;
  name: string;
  place: HostPlace;
  closers: (() => Promise<void> | void)[];
}): Promise<TestHost> {
  const enrolment = await at.rest.expect(201, 'POST', '/v1/host-enrolments', { hostName: at.name });
  const stateDir = at.place.stateDir ?? path.join(at.folder, at.name);
  const joinFile = path.join(at.folder, `${at.name}.join`);
  writeFileSync(joinFile, String(enrolment.body['joinToken']), { mode: 0o600 });
  const logPath = path.join(at.folder, `${at.name}.log`);
  const runDir = `/run/kvorum/t${createHash('sha256').update(stateDir).digest('hex').slice(0, 8)}`;
  const start = () =>
    startChild(AGENT_MAIN, {
      args: [
        ...['--state-dir', stateDir, '--run-dir', runDir, '--name', at.name, '--listen', `${at.place.address}:0`],
        ...['--join-file', joinFile, '--enrol-address', at.enrolAddress, '--allow-emulation'],
        ...['--capacity-vcpus', '16', '--capacity-memory-bytes', String(6144 * MIB)],
        ...at.place.flags,
      ],
      through: at.place.through,
      logPath,
      event: 'ready',
    });
  const agent = await start();
  let host: TestHost | null = null;
  at.closers.push(async () => {
    await (host?.agent ?? agent).stop();
    // What a test has left running ends with it; `leftovers` has told by then.
    for (const pid of qemuPids({ runDir })) process.kill(pid, 'SIGKILL');
    rmSync(runDir, { recursive: true, force: true });
    await removeControlGroups({ stateDir });
  });
  const found = await eventually(`host ${at.name} is connected`, 15_000, async () => {
    const { body } = await at.rest.expect(200, 'GET', `/v1/hosts?name=${at.name}`);
    return (body['items'] as { id: string; connectivity: string }[]).find((host) => host.connectivity === 'connected');
  });
  const enrolled: TestHost = {
    name: at.name,
    id: found.id,
    stateDir,
    runDir,
    logPath,
    agent,
    startAnotherAgent: start,
    restartAgent: async (how) => {
      await enrolled.agent[how]();
      enrolled.agent = await start();
    },
  };
  host = enrolled;
  return enrolled;
}

async function uploadImage(rest: Rest, name: string, file: string): Promise<string> {
  const content = readFileSync(file);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const made = await rest.expect(201, 'POST', '/v1/images', { name, sha256 });
  const imageId = String(made.body['id']);
  await rest.expect(200, 'PUT', `/v1/images/${imageId}/content`, content);
  return imageId;
}

/** Waits until the operation has reached an end, and returns it. */
export const operationEnd = (rest: Rest, operationId: string, withinMs: number): Promise<ApiAnswer['body']> =>
  eventually(`operation ${operationId} ends`, withinMs, async () => {
    const { body } = await rest.expect(200, 'GET', `/v1/operations/${operationId}`);
    return ['succeeded', 'failed', 'cancelled', 'stuck'].includes(String(body['state'])) ? body : undefined;
  });
