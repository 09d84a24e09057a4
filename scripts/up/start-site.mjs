// Brings up one site on this machine: PostgreSQL, the control plane and two hosts.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { CHECKOUT_DIR, STATE_DIR } from '../checkout.mjs';
import { findFreePort, isPortFree } from '../services/free-port.mjs';
import { startPostgres } from '../services/postgres.mjs';
import { createApiClient, poll } from './api-client.mjs';
import { startService } from './site-process.mjs';
import {
  CONTROL_PLANE_DIR,
  hostDirOf,
  POSTGRES_DIR,
  readSite,
  readToken,
  runDirOf,
  TOKEN_FILE,
  writeSite,
} from './site-state.mjs';

const run = promisify(execFile);
export const HOST_NAMES = ['host-a', 'host-b'];
const PREFERRED_PORTS = { api: 7080, gateway: 7081, enrol: 7082 };
const DATABASE = 'kvorum';
const HOST_CONNECT_TIMEOUT_MS = 60_000;
const MIB = 1024 * 1024;
// Left to the machine itself, PostgreSQL and the control plane.
const MEMORY_KEPT_BYTES_MAX = 2048 * MIB;
const MEMORY_KEPT_PART = 0.25;
const DISK_PART = 0.5;

const createDatabase = async (adminUrl) => {
  const { default: pg } = await import(pathToFileURL(path.join(CHECKOUT_DIR, 'node_modules/pg/lib/index.js')).href);
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  return url.href;
};

export const startDatabase = async () => {
  const server = await startPostgres({ dataDir: POSTGRES_DIR });
  return { server, url: await createDatabase(server.url) };
};

/** The ports of last time, else the usual ones, else free ones. */
const choosePorts = async () => {
  const site = readSite();
  const ports = {};
  for (const [name, preferred] of Object.entries(PREFERRED_PORTS)) {
    const wanted = [site.ports[name], preferred].filter((port) => port !== undefined);
    const taken = new Set(Object.values(ports));
    ports[name] = null;
    for (const port of wanted) {
      if (ports[name] === null && !taken.has(port) && (await isPortFree(port))) ports[name] = port;
    }
    while (ports[name] === null || taken.has(ports[name])) ports[name] = await findFreePort();
  }
  writeSite({ ...site, ports });
  return ports;
};

export const startControlPlane = async ({ databaseUrl, signal }) => {
  const ports = await choosePorts();
  const service = await startService({
    name: 'control-plane',
    script: 'apps/api/dist/main.js',
    readyEvent: 'listening',
    signal,
    env: {
      KVORUM_DATABASE_URL: databaseUrl,
      KVORUM_REDIS_URL: '',
      KVORUM_DATA_DIR: CONTROL_PLANE_DIR,
      KVORUM_LISTEN: `127.0.0.1:${ports.api}`,
      KVORUM_GATEWAY_LISTEN: `127.0.0.1:${ports.gateway}`,
      KVORUM_ENROL_LISTEN: `127.0.0.1:${ports.enrol}`,
      KVORUM_BOOTSTRAP_TOKEN_FILE: TOKEN_FILE,
    },
  });
  const { url, gateway, enrol } = service.ready;
  const api = createApiClient({ url, token: readToken(), signal });
  return { service, api, url, gateway, enrol };
};

/** What the driver itself finds out about KVM on this machine: { isProven, reason }. */
export const probeKvm = async () => {
  const { stdout } = await run(process.execPath, [path.join(import.meta.dirname, 'probe-kvm.mjs')], {
    cwd: CHECKOUT_DIR,
  });
  return JSON.parse(stdout);
};

const halfOfMachine = () => {
  const keptBytes = Math.min(MEMORY_KEPT_BYTES_MAX, os.totalmem() * MEMORY_KEPT_PART);
  const disk = statfsSync(STATE_DIR);
  return {
    vcpus: Math.max(1, Math.floor(os.cpus().length / 2)),
    memoryBytes: Math.floor((os.totalmem() - keptBytes) / 2 / MIB) * MIB,
    diskBytes: Math.floor((disk.bavail * disk.bsize * DISK_PART) / 2 / MIB) * MIB,
  };
};

/**
 * A host that has joined knows where the gateway is. If it is elsewhere now (its port was taken), the host joins again under
 * its name, which keeps its VMs.
 */
const prepareEnrolment = async ({ name, api, gateway }) => {
  const site = readSite();
  const identityDir = path.join(hostDirOf(name), 'identity');
  if (site.hosts[name]?.gateway === gateway && existsSync(identityDir)) return null;
  rmSync(identityDir, { recursive: true, force: true });
  const enrolment = await api.call('POST', '/v1/host-enrolments', { body: { hostName: name } });
  const joinFile = path.join(hostDirOf(name), 'join-token');
  writeFileSync(joinFile, `${enrolment.joinToken}\n`, { mode: 0o600 });
  return joinFile;
};

export const startHost = async ({ name, api, gateway, enrol, isEmulationAllowed, signal }) => {
  mkdirSync(hostDirOf(name), { recursive: true, mode: 0o700 });
  const joinFile = await prepareEnrolment({ name, api, gateway });
  const capacity = halfOfMachine();
  const args = ['--state-dir', hostDirOf(name), '--run-dir', runDirOf(name), '--listen', '127.0.0.1:0', '--name', name];
  if (joinFile) args.push('--join-file', joinFile, '--enrol-address', enrol);
  if (isEmulationAllowed) args.push('--allow-emulation');
  args.push('--capacity-vcpus', String(capacity.vcpus), '--capacity-memory-bytes', String(capacity.memoryBytes));
  args.push('--capacity-disk-bytes', String(capacity.diskBytes));
  const service = await startService({
    name,
    script: 'apps/node-agent/dist/main.js',
    args,
    readyEvent: 'ready',
    signal,
  });
  if (joinFile) rmSync(joinFile, { force: true });
  const site = readSite();
  writeSite({ ...site, hosts: { ...site.hosts, [name]: { gateway } } });
  return service;
};

/** Until the control plane has a report of the host and knows what VMs can run on there. */
export const waitForHost = ({ name, api, signal }) =>
  poll(
    {
      timeoutMs: HOST_CONNECT_TIMEOUT_MS,
      signal,
      failure: async () => {
        const [host] = await api.list('/v1/hosts', { name });
        const reason = host?.facts?.kvm?.reason ?? 'no report yet';
        return `${name} is ${host?.connectivity ?? 'not enrolled'} and can run no VM (${reason})`;
      },
    },
    async () => {
      const [host] = await api.list('/v1/hosts', { name });
      return host?.connectivity === 'connected' && host.accelerator !== null ? host : null;
    },
  );
