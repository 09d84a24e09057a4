// Placements per second, end to end: host proposed from the snapshot, quota and room taken, VM, volume, operation, decision
// and event recorded and committed, by 1 and by 4 processes that decide at once, beside bare commits of the same PostgreSQL
// in the same run. Usage: npm run bench:placement  (after a build)
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { closeControlPlane, createFirstToken, openControlPlane } from '@kvorum/control-plane';
import pg from 'pg';
import { startPostgres } from '../../scripts/services/postgres.mjs';
import { ms, percentile, printTable } from './percentiles.mjs';

const HOST_COUNT = 1000;
const PROJECT_COUNT = 16;
const SCHEDULER_COUNTS = [1, 4];
/** Requests under way at a time in each process. */
const CONCURRENCY = 64;
const MEASURED_MS = Number(process.env.BENCH_MS ?? 8000);

const folder = mkdtempSync(path.join(os.tmpdir(), 'kvb-'));
const server = await startPostgres({ dataDir: path.join(folder, 'pg') });
try {
  const token = await makeSite();
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  const request = await fill(client);
  await client.end();
  const rows = [];
  for (const connectionCount of [1, 8, 16, 64]) rows.push(await measureCommits(connectionCount));
  for (const count of SCHEDULER_COUNTS) rows.push(await measureSchedulers(count, token, request));
  printTable(rows);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function makeSite() {
  const cp = await openControlPlane({
    databaseUrl: server.url,
    dataDir: path.join(folder, 'cp'),
    importDir: path.join(folder, 'import'),
    gatewayAddress: '127.0.0.1:1',
    enrolAddress: '127.0.0.1:1',
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  try {
    return await createFirstToken(cp);
  } finally {
    await closeControlPlane(cp);
  }
}

/** Half full hosts, so that there is something to choose. */
async function fill(client) {
  await client.query(
    `INSERT INTO projects (id, name, quota_vm_count, quota_vcpu_count, quota_memory_bytes, quota_disk_bytes)
     SELECT uuidv7(), 'bench-' || n, 1000000, 1000000, 2^52, 2^52 FROM generate_series(1, $1) n`,
    [PROJECT_COUNT],
  );
  await client.query(`INSERT INTO flavors (id, name, vcpu_count, memory_bytes, root_disk_bytes)
    VALUES (uuidv7(), 'bench', 1, 1073741824, 1073741824)`);
  await client.query(`INSERT INTO images (id, project_id, name, is_public, state, sha256, size_bytes, virtual_size_bytes)
    SELECT uuidv7(), id, 'bench', true, 'available', repeat('a', 64), 1, 1048576 FROM projects LIMIT 1`);
  await client.query(
    `INSERT INTO hosts (id, name, connectivity, address, accelerator, capacity_vcpu_count, capacity_memory_bytes,
                        capacity_disk_bytes, last_report_at)
     SELECT uuidv7(), 'host-' || n, 'connected', '10.0.0.1:7090', 'kvm', 48 + n % 49, (192 + n % 193) * 2^30, 2^44, now()
       FROM generate_series(1, $1) n`,
    [HOST_COUNT],
  );
  await client.query('CREATE TABLE bare_commits (n bigint)');
  await client.query('VACUUM ANALYZE');
  const { rows } = await client.query(`SELECT (SELECT id FROM flavors) AS flavor, (SELECT id FROM images) AS image,
    (SELECT array_agg(id::text) FROM projects WHERE name LIKE 'bench-%') AS projects`);
  return { flavorId: rows[0].flavor, imageId: rows[0].image, projectIds: rows[0].projects };
}

async function measureCommits(connectionCount) {
  const clients = await Promise.all(
    Array.from({ length: connectionCount }, async () => {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      return client;
    }),
  );
  const timesMs = [];
  const until = performance.now() + MEASURED_MS / 2;
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < until) {
        const from = performance.now();
        await client.query('INSERT INTO bare_commits VALUES (1)');
        timesMs.push(performance.now() - from);
      }
      await client.end();
    }),
  );
  return row(`bare commits, ${connectionCount} connections`, timesMs, MEASURED_MS / 2, '-', '-');
}

async function measureSchedulers(count, token, request) {
  const projectIds = (index) => request.projectIds.filter((_, at) => at % count === index);
  const schedulers = Array.from({ length: count }, (_, index) =>
    fork(path.join(import.meta.dirname, 'placing-scheduler.mjs'), {
      env: {
        ...process.env,
        BENCH: JSON.stringify({
          databaseUrl: server.url,
          dataDir: path.join(folder, 'cp'),
          tokenId: token.id,
          concurrency: CONCURRENCY,
          measuredMs: MEASURED_MS,
          ...request,
          projectIds: projectIds(index),
        }),
      },
    }),
  );
  const said = (scheduler) =>
    new Promise((resolve, reject) => {
      scheduler.once('message', resolve);
      scheduler.once('exit', (code) => reject(new Error(`a scheduler ended with ${code}`)));
    });
  await Promise.all(schedulers.map(said));
  const results = schedulers.map(said);
  for (const scheduler of schedulers) scheduler.send('go');
  const ended = await Promise.all(results);
  const timesMs = ended.flatMap((result) => result.timesMs);
  const proposed = ended.reduce((sum, result) => sum + result.proposedCount, 0);
  const lost = ended.reduce((sum, result) => sum + result.lostCount, 0);
  const conflicts = `${((100 * lost) / proposed).toFixed(2)} % (${lost} of ${proposed})`;
  const cpuMs = ended.reduce((sum, result) => sum + result.cpuMs, 0) / timesMs.length;
  return row(`VMs created, ${count} x ${CONCURRENCY} requests`, timesMs, MEASURED_MS, conflicts, ms(cpuMs));
}

function row(what, timesMs, durationMs, conflicts, cpu) {
  return {
    what,
    'per second': Math.round((timesMs.length * 1000) / durationMs),
    p50: ms(percentile(timesMs, 0.5)),
    p99: ms(percentile(timesMs, 0.99)),
    conflicts,
    'CPU of Node each': cpu,
  };
}
