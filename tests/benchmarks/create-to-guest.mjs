// Time from the create request to the guest's first output, beside the same QEMU with the same arguments started by hand in the
// same run. The firmware's share is in both; the difference is what Kvorum adds. Usage: npm run bench:create  (after a build)
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureGuestImage } from '../../scripts/images/guest-image.mjs';
import { findFreePort } from '../../scripts/services/free-port.mjs';
import { startPostgres } from '../../scripts/services/postgres.mjs';
import { ms, percentile, printTable } from './percentiles.mjs';

const ROUND_COUNT = 15;
const MIB = 1024 * 1024;
const ROOT = path.resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'kvb-'));
const runDir = `/run/kvorum/b${process.pid}`;
const children = [];

const start = (script, args, env) =>
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

/** Resolves with the time at which `file` first had content. Looks once a millisecond. */
async function firstOutput(file) {
  for (;;) {
    try {
      if (statSync(file).size > 0) return performance.now();
    } catch {
      // Not there yet.
    }
    await delay(1);
  }
}

const server = await startPostgres({ dataDir: path.join(folder, 'pg') });
try {
  const tokenFile = path.join(folder, 'token');
  const site = await start('apps/api/dist/main.js', [], {
    KVORUM_DATABASE_URL: server.url,
    KVORUM_DATA_DIR: path.join(folder, 'cp'),
    KVORUM_LISTEN: '127.0.0.1:0',
    KVORUM_GATEWAY_LISTEN: `127.0.0.1:${await findFreePort()}`,
    KVORUM_ENROL_LISTEN: `127.0.0.1:${await findFreePort()}`,
    KVORUM_LOG_LEVEL: 'error',
    KVORUM_BOOTSTRAP_TOKEN_FILE: tokenFile,
  });
  const rest = restOf(site.url, readFileSync(tokenFile, 'utf8').trim());
  await enrolHost(rest, site.enrol);
  await compare(rest);
} finally {
  for (const child of children.reverse()) {
    if (child.exitCode !== null) continue;
    child.removeAllListeners('exit');
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('close', resolve));
  }
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    if (commandLine(pid).includes(`${runDir}/`) && commandLine(pid).includes('qemu'))
      process.kill(Number(pid), 'SIGKILL');
  }
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  rmSync(runDir, { recursive: true, force: true });
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

async function enrolHost(rest, enrolAddress) {
  const { joinToken } = await rest('POST', '/v1/host-enrolments', { hostName: 'bench' });
  const joinFile = path.join(folder, 'join');
  writeFileSync(joinFile, joinToken, { mode: 0o600 });
  await start('apps/node-agent/dist/main.js', [
    // The same user and paths as the QEMU that is started by hand with the same arguments.
    ...['--vm-users', 'shared'],
    ...['--state-dir', path.join(folder, 'host'), '--run-dir', runDir, '--name', 'bench', '--listen', '127.0.0.1:0'],
    ...['--join-file', joinFile, '--enrol-address', enrolAddress, '--allow-emulation', '--log-level', 'error'],
  ]);
  for (;;) {
    const { items } = await rest('GET', '/v1/hosts?connectivity=connected');
    if (items.length > 0) return;
    await delay(50);
  }
}

async function compare(rest) {
  const content = readFileSync((await ensureGuestImage('boot-sector')).path);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const image = await rest('POST', '/v1/images', { name: 'boot-sector', sha256 });
  await rest('PUT', `/v1/images/${image.id}/content`, content);
  const size = { vcpuCount: 1, memoryBytes: 32 * MIB, rootDiskBytes: MIB };
  const flavor = await rest('POST', '/v1/flavors', { name: 'bench', ...size });
  const viaKvorum = [];
  const accepted = [];
  const byHand = [];
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    const measured = await createOne(rest, { name: `vm-${round}`, imageId: image.id, flavorId: flavor.id });
    viaKvorum.push(measured.totalMs);
    accepted.push(measured.acceptedMs);
    byHand.push(await startBare(measured.commandLine));
    await remove(rest, measured.vmId);
  }
  const row = (what, samples) => ({
    what,
    p50: ms(percentile(samples, 0.5)),
    p90: ms(percentile(samples, 0.9)),
    max: ms(Math.max(...samples)),
  });
  console.log(`${ROUND_COUNT} rounds, one VM of 1 vCPU and 32 MiB each, alternating\n`);
  printTable([
    row('create request -> 202', accepted),
    row('create request -> first output of the guest', viaKvorum),
    row('same QEMU by hand -> first output of the guest', byHand),
  ]);
  const added = percentile(viaKvorum, 0.5) - percentile(byHand, 0.5);
  console.log(
    `\nadded by Kvorum (p50): ${ms(added)}; ratio ${(percentile(viaKvorum, 0.5) / percentile(byHand, 0.5)).toFixed(2)}x`,
  );
}

async function createOne(rest, body) {
  const begin = performance.now();
  const { resourceId: vmId, operation } = await rest('POST', '/v1/vms', body);
  const acceptedMs = performance.now() - begin;
  const totalMs = (await firstOutput(path.join(runDir, vmId, 'console.log'))) - begin;
  for (;;) {
    const { state } = await rest('GET', `/v1/operations/${operation.id}`);
    if (state === 'succeeded') break;
    if (state === 'failed' || state === 'stuck') throw new Error(`create ended as ${state}`);
    await delay(20);
  }
  const pid = readdirSync('/proc').find(
    (entry) => /^\d+$/.test(entry) && commandLine(entry).includes(path.join(runDir, vmId)),
  );
  return { vmId, acceptedMs, totalMs, commandLine: commandLine(pid) };
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Starts the very command line of the VM just made, in another folder and on another disk, and times its first output. */
async function startBare(line) {
  const words = line.split('\0').filter((word) => word !== '');
  const ownRunDir = path.join(folder, 'bare');
  rmSync(ownRunDir, { recursive: true, force: true });
  const from = /(\/run\/kvorum\/b\d+\/[0-9a-f-]{36})/.exec(line)[1];
  const disk = /"([^"]*\/disks\/[^"]*\.qcow2)"/.exec(line)[1];
  const ownDisk = path.join(folder, 'bare.qcow2');
  writeFileSync(ownDisk, readFileSync(disk));
  mkdirSync(path.join(ownRunDir, 'io'), { recursive: true });
  // The two ends of the serial line: input from a FIFO, output to the log alone (serial-line.ts of the driver).
  execFileSync('mkfifo', [path.join(ownRunDir, 'io/serial.in')]);
  symlinkSync('/dev/null', path.join(ownRunDir, 'io/serial.out'));
  // Kvorum starts it stopped and lets it go once its threads are pinned; by hand it starts at once.
  const startWords = words.slice(1).filter((word) => word !== '-S');
  const args = startWords.map((word) => word.replaceAll(from, ownRunDir).replaceAll(disk, ownDisk));
  const begin = performance.now();
  const child = spawn(words[0], args, { stdio: 'ignore' });
  const took = (await firstOutput(path.join(ownRunDir, 'console.log'))) - begin;
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve));
  if (!existsSync(ownRunDir)) throw new Error('the bare QEMU wrote nowhere');
  return took;
}

async function remove(rest, vmId) {
  const { operation } = await rest('DELETE', `/v1/vms/${vmId}`);
  for (;;) {
    const { state } = await rest('GET', `/v1/operations/${operation.id}`);
    if (state === 'succeeded') return;
    if (state === 'failed' || state === 'stuck') throw new Error(`delete ended as ${state}`);
    await delay(20);
  }
}
