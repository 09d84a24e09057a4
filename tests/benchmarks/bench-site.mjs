// A site of its own for a benchmark: PostgreSQL, API with worker, and the agent of one host, each a process of the build.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { findFreePort } from '../../scripts/services/free-port.mjs';
import { startPostgres } from '../../scripts/services/postgres.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Arguments of a process as one text, separated by NUL; empty when it has ended. */
export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

export const processesWith = (text) =>
  readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && commandLine(entry).includes(text));

/**
 * Starts the site and waits until its host is connected. `close` ends everything, guests as well. The host's VMs share the
 * agent's user, so that a QEMU started by hand with the same arguments may open the same paths. `capacityVcpus`: so many are
 * promised, whatever the agent reports.
 */
export async function openBenchSite({ capacityVcpus } = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'kvb-'));
  const runDir = `/run/kvorum/b${process.pid}`;
  const children = [];
  const server = await startPostgres({ dataDir: path.join(folder, 'pg') });
  const close = async () => {
    for (const child of children.reverse()) await endChild(child);
    for (const pid of processesWith(`${runDir}/`)) {
      if (commandLine(pid).includes('qemu')) process.kill(Number(pid), 'SIGKILL');
    }
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
    rmSync(runDir, { recursive: true, force: true });
  };
  try {
    const tokenFile = path.join(folder, 'token');
    const site = await start(children, 'apps/api/dist/main.js', [], {
      KVORUM_DATABASE_URL: server.url,
      KVORUM_DATA_DIR: path.join(folder, 'cp'),
      KVORUM_LISTEN: '127.0.0.1:0',
      KVORUM_GATEWAY_LISTEN: `127.0.0.1:${await findFreePort()}`,
      KVORUM_ENROL_LISTEN: `127.0.0.1:${await findFreePort()}`,
      KVORUM_LOG_LEVEL: 'error',
      KVORUM_BOOTSTRAP_TOKEN_FILE: tokenFile,
    });
    if (capacityVcpus !== undefined) await promise(server.url, capacityVcpus);
    const rest = restOf(site.url, readFileSync(tokenFile, 'utf8').trim());
    const agentPid = await enrolHost({ rest, children, folder, runDir, enrolAddress: site.enrol });
    return { rest, agentPid, folder, runDir, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** For VMs that need no CPU. Agents tell four per CPU at the most; here the record of this site alone says otherwise. */
async function promise(databaseUrl, vcpuCount) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`
    CREATE FUNCTION promise_vcpus() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN NEW.capacity_vcpu_count := ${Number(vcpuCount)}; RETURN NEW; END $$;
    CREATE TRIGGER promise_vcpus BEFORE INSERT OR UPDATE ON hosts FOR EACH ROW EXECUTE FUNCTION promise_vcpus()`);
  await client.end();
}

const start = (children, script, args, env) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(ROOT, script), ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...env },
    });
    children.push(child);
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) resolve(JSON.parse(line));
    });
  });

async function endChild(child) {
  if (child.exitCode !== null) return;
  child.removeAllListeners('exit');
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('close', resolve));
}

function restOf(url, token) {
  return async (method, target, body) => {
    const isBinary = body instanceof Uint8Array;
    const answer = await fetch(url + target, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': isBinary ? 'application/octet-stream' : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: isBinary ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  };
}

/** Returns the pid of the agent. */
async function enrolHost({ rest, children, folder, runDir, enrolAddress }) {
  const { joinToken } = await rest('POST', '/v1/host-enrolments', { hostName: 'bench' });
  const joinFile = path.join(folder, 'join');
  writeFileSync(joinFile, joinToken, { mode: 0o600 });
  await start(children, 'apps/node-agent/dist/main.js', [
    ...['--vm-users', 'shared'],
    ...['--state-dir', path.join(folder, 'host'), '--run-dir', runDir, '--name', 'bench', '--listen', '127.0.0.1:0'],
    ...['--join-file', joinFile, '--enrol-address', enrolAddress, '--allow-emulation', '--log-level', 'error'],
  ]);
  for (;;) {
    const { items } = await rest('GET', '/v1/hosts?connectivity=connected');
    if (items.length > 0) return children.at(-1).pid;
    await delay(50);
  }
}

/** Waits for the end of an operation; throws unless it succeeded. */
export async function untilDone(rest, { id, kind }) {
  for (;;) {
    const { state, error } = await rest('GET', `/v1/operations/${id}`);
    if (state === 'succeeded') return;
    if (state === 'failed' || state === 'stuck') throw new Error(`${kind} ended as ${state}: ${JSON.stringify(error)}`);
    await delay(20);
  }
}
