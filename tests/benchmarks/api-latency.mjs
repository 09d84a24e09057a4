// Latency of list and get with 100,000 VMs and 10,000 hosts in the database, beside the same rows read over a bare PostgreSQL
// connection and beside the empty HTTP answer of the same process. Usage: npm run bench:api  (after a build)
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { findFreePort } from '../../scripts/services/free-port.mjs';
import { startPostgres } from '../../scripts/services/postgres.mjs';
import { ms, percentile, printTable } from './percentiles.mjs';

const HOST_COUNT = 10_000;
const VM_COUNT = 100_000;
const SAMPLE_COUNT = 1000;
const WARM_UP_COUNT = 100;

const folder = mkdtempSync(path.join(os.tmpdir(), 'kvb-'));
const server = await startPostgres({ dataDir: path.join(folder, 'pg') });
const tokenFile = path.join(folder, 'token');
const api = spawn(process.execPath, [path.resolve(import.meta.dirname, '../../apps/api/dist/main.js')], {
  stdio: ['ignore', 'pipe', 'ignore'],
  env: {
    ...process.env,
    KVORUM_DATABASE_URL: server.url,
    KVORUM_DATA_DIR: path.join(folder, 'cp'),
    KVORUM_LISTEN: '127.0.0.1:0',
    KVORUM_GATEWAY_LISTEN: `127.0.0.1:${await findFreePort()}`,
    KVORUM_ENROL_LISTEN: `127.0.0.1:${await findFreePort()}`,
    KVORUM_ROLES: 'api',
    KVORUM_LOG_LEVEL: 'error',
    KVORUM_REQUESTS_PER_MINUTE: '100000000',
    KVORUM_BOOTSTRAP_TOKEN_FILE: tokenFile,
  },
});
try {
  const { url } = await new Promise((resolve, reject) => {
    api.once('exit', (code) => reject(new Error(`the API ended with ${code}`)));
    createInterface({ input: api.stdout }).on('line', (line) => {
      if (line.startsWith('{')) resolve(JSON.parse(line));
    });
  });
  const bare = new pg.Client({ connectionString: server.url });
  await bare.connect();
  try {
    const ids = await fill(bare);
    await measure(url, readFileSync(tokenFile, 'utf8').trim(), bare, ids);
  } finally {
    await bare.end();
  }
} finally {
  api.kill('SIGTERM');
  await new Promise((resolve) => api.once('close', resolve));
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function fill(client) {
  const { rows: projects } = await client.query('SELECT id FROM projects LIMIT 1');
  const projectId = projects[0].id;
  await client.query(`INSERT INTO flavors (id, name, vcpu_count, memory_bytes, root_disk_bytes)
    VALUES (uuidv7(), 'bench', 2, 2147483648, 10737418240)`);
  await client.query(
    `INSERT INTO images (id, project_id, name, state, sha256, size_bytes, virtual_size_bytes)
     VALUES (uuidv7(), $1, 'bench', 'available', repeat('a', 64), 1, 1048576)`,
    [projectId],
  );
  await client.query(
    `INSERT INTO hosts (id, name, connectivity, address, accelerator, capacity_vcpu_count, capacity_memory_bytes, capacity_disk_bytes,
       last_report_at)
     SELECT uuidv7(), 'host-' || n, 'connected', '10.0.0.1:7090', 'kvm', 96, 412316860416, 1099511627776, now()
     FROM generate_series(1, $1) n`,
    [HOST_COUNT],
  );
  await client.query(
    `WITH numbered AS (SELECT id, row_number() OVER () - 1 AS n FROM hosts)
     INSERT INTO vms (id, project_id, name, state, flavor_id, image_id, host_id, vcpu_count, memory_bytes)
     SELECT uuidv7(), $1, 'vm-' || g.n, CASE g.n % 10 WHEN 0 THEN 'stopped' ELSE 'running' END, (SELECT id FROM flavors LIMIT 1),
       (SELECT id FROM images LIMIT 1), numbered.id, 2, 2147483648
     FROM generate_series(1, $2) AS g (n) JOIN numbered ON numbered.n = g.n % $3`,
    [projectId, VM_COUNT, HOST_COUNT],
  );
  await client.query(`INSERT INTO volumes (id, project_id, vm_id, role, size_bytes)
    SELECT uuidv7(), project_id, id, 'root', 10737418240 FROM vms`);
  await client.query('VACUUM ANALYZE');
  const vms = await client.query(`SELECT id, host_id, name FROM vms ORDER BY random() LIMIT ${SAMPLE_COUNT}`);
  return { projectId, vms: vms.rows };
}

async function measure(url, token, bare, { projectId, vms }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const get = (pathAndQuery) =>
    new Promise((resolve, reject) => {
      const request = http.get(
        url + pathAndQuery,
        { agent, headers: { authorization: `Bearer ${token}` } },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (part) => {
            text += part;
          });
          answer.on('end', () => {
            if (answer.statusCode === 200) resolve(text);
            else reject(new Error(`${pathAndQuery}: ${answer.statusCode} ${text}`));
          });
        },
      );
      request.on('error', reject);
    });
  const { nextCursor } = JSON.parse(await get('/v1/vms?limit=500'));
  const vm = (index) => vms[index % vms.length];
  const cases = [
    ['empty answer (/healthz)', () => get('/healthz')],
    ['get VM', (n) => get(`/v1/vms/${vm(n).id}`), (n) => bare.query('SELECT * FROM vms WHERE id = $1', [vm(n).id])],
    [
      'get host',
      (n) => get(`/v1/hosts/${vm(n).host_id}`),
      (n) => bare.query('SELECT * FROM hosts WHERE id = $1', [vm(n).host_id]),
    ],
    [
      'list 50 VMs',
      () => get('/v1/vms'),
      () => bare.query('SELECT * FROM vms WHERE deleted_at IS NULL ORDER BY id LIMIT 51'),
    ],
    ['list 50 VMs, a later page', () => get(`/v1/vms?cursor=${encodeURIComponent(nextCursor)}`)],
    [
      'list 50 VMs of one state',
      () => get('/v1/vms?state=stopped'),
      () => bare.query("SELECT * FROM vms WHERE state = 'stopped' AND deleted_at IS NULL ORDER BY id LIMIT 51"),
    ],
    [
      'list VMs of one host',
      (n) => get(`/v1/vms?hostId=${vm(n).host_id}`),
      (n) =>
        bare.query('SELECT * FROM vms WHERE host_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 51', [vm(n).host_id]),
    ],
    [
      'find VM by name',
      (n) => get(`/v1/vms?projectId=${projectId}&name=${vm(n).name}`),
      (n) =>
        bare.query('SELECT * FROM vms WHERE project_id = $1 AND name = $2 AND deleted_at IS NULL', [
          projectId,
          vm(n).name,
        ]),
    ],
    ['list 50 hosts', () => get('/v1/hosts'), () => bare.query('SELECT * FROM hosts ORDER BY id LIMIT 51')],
  ];
  const rows = [];
  for (const [name, viaApi, viaSql] of cases) {
    const api = await sample(viaApi);
    const sql = viaSql === undefined ? null : await sample(viaSql);
    rows.push({
      request: name,
      'API p50': ms(percentile(api, 0.5)),
      'API p99': ms(percentile(api, 0.99)),
      'bare SQL p50': sql === null ? '' : ms(percentile(sql, 0.5)),
      'bare SQL p99': sql === null ? '' : ms(percentile(sql, 0.99)),
      'ratio p50': sql === null ? '' : `${(percentile(api, 0.5) / percentile(sql, 0.5)).toFixed(1)}x`,
    });
  }
  console.log(
    `${VM_COUNT} VMs, ${HOST_COUNT} hosts; ${SAMPLE_COUNT} requests each, one connection, one after another\n`,
  );
  printTable(rows);
  agent.destroy();
}

async function sample(run) {
  for (let n = 0; n < WARM_UP_COUNT; n += 1) await run(n);
  const samples = [];
  for (let n = 0; n < SAMPLE_COUNT; n += 1) {
    const begin = performance.now();
    await run(n);
    samples.push(performance.now() - begin);
  }
  return samples;
}
