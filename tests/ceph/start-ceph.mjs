// A Ceph of one monitor, one manager and one storage daemon, for tests: `node start-ceph.mjs FOLDER` brings it up on the loopback
// interface with all its state below FOLDER, prints {confPath, keyringPath, pids} and ends; whoever started it ends the processes.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const PACKAGES = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph-common', 'qemu-block-extra'];
const OSD_BYTES = 6 * 1024 ** 3;
const UP_TIMEOUT_MS = 120_000;
const TOOL_TIMEOUT_MS = 60_000;

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name a folder for the state of Ceph');
const at = (...names) => join(folder, ...names);
const run = (command, args, input) =>
  execFileSync(command, args, {
    encoding: 'utf8',
    input,
    timeout: TOOL_TIMEOUT_MS,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
const ceph = (...args) => run('ceph', ['-c', at('ceph.conf'), '-k', at('admin.keyring'), ...args]);

installPackages();
const port = await freePort();
const monitor = `[v2:127.0.0.1:${port}]`;
const fsid = randomUUID();
for (const name of ['mon', 'mgr', 'osd', 'run']) mkdirSync(at(name), { recursive: true });
chmodSync(folder, 0o711);
writeFileSync(at('ceph.conf'), configuration(), { mode: 0o644 });
startMonitor();
startManager();
startStorage();
await untilUp();
const keyringPath = at('ceph.client.kvorum.keyring');
ceph('osd', 'pool', 'create', 'vms', '8', '8');
ceph('osd', 'pool', 'application', 'enable', 'vms', 'rbd');
const caps = ['mon', 'profile rbd', 'osd', 'profile rbd pool=vms'];
ceph('auth', 'get-or-create', 'client.kvorum', ...caps, '-o', keyringPath);
chmodSync(keyringPath, 0o600);
const pids = ['mon', 'mgr', 'osd'].map((name) => Number(readFileSync(at('run', `${name}.pid`), 'utf8')));
process.stdout.write(`${JSON.stringify({ confPath: at('ceph.conf'), keyringPath, pids })}\n`);

function installPackages() {
  const missing = PACKAGES.filter((name) => spawnSync('dpkg', ['-s', name], { stdio: 'ignore' }).status !== 0);
  if (missing.length === 0) return;
  // The block drivers have to be those of the QEMU that is here, which may come from the backports.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a pattern of dpkg-query(1)
  const qemu = run('dpkg-query', ['-W', '-f', '${Version}', 'qemu-system-x86']);
  const wanted = missing.map((name) => (name === 'qemu-block-extra' ? `${name}=${qemu}` : name));
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...wanted], { stdio: 'inherit', env });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port: found } = server.address();
      server.close(() => resolve(found));
    });
  });
}

function configuration() {
  return `[global]
fsid = ${fsid}
mon host = ${monitor}
ms bind msgr1 = false
public addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
run dir = ${at('run')}
admin socket =
log file = /dev/null
mon data = ${at('mon')}
mgr data = ${at('mgr')}
osd data = ${at('osd')}
bluestore block size = ${OSD_BYTES}
osd memory target = 939524096
[mon]
keyring = ${at('mon.keyring')}
pid file = ${at('run', 'mon.pid')}
[mgr]
keyring = ${at('mgr.keyring')}
pid file = ${at('run', 'mgr.pid')}
mgr initial modules =
[osd]
keyring = ${at('osd.keyring')}
pid file = ${at('run', 'osd.pid')}
`;
}

function startMonitor() {
  const all = ['mon', 'allow *', 'osd', 'allow *', 'mgr', 'allow *'].flatMap((word, index) =>
    index % 2 === 0 ? ['--cap', word] : [word],
  );
  run('ceph-authtool', ['-C', at('mon.keyring'), '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
  run('ceph-authtool', ['-C', at('admin.keyring'), '--gen-key', '-n', 'client.admin', ...all]);
  run('ceph-authtool', [at('mon.keyring'), '--import-keyring', at('admin.keyring')]);
  run('monmaptool', ['--create', '--addv', 'a', monitor, '--fsid', fsid, at('monmap')]);
  const here = ['-c', at('ceph.conf'), '-i', 'a'];
  run('ceph-mon', [...here, '--mkfs', '--monmap', at('monmap'), '--keyring', at('mon.keyring')]);
  run('ceph-mon', here);
}

function startManager() {
  const caps = ['mon', 'allow profile mgr', 'osd', 'allow *', 'mds', 'allow *'];
  ceph('--connect-timeout', '30', 'auth', 'get-or-create', 'mgr.x', ...caps, '-o', at('mgr.keyring'));
  run('ceph-mgr', ['-c', at('ceph.conf'), '-i', 'x']);
}

function startStorage() {
  const uuid = randomUUID();
  const key = run('ceph-authtool', ['--gen-print-key']).trim();
  const secret = at('osd-secret.json');
  writeFileSync(secret, JSON.stringify({ cephx_secret: key }), { mode: 0o600 });
  const id = ceph('osd', 'new', uuid, '-i', secret).trim();
  writeFileSync(at('osd.keyring'), `[osd.${id}]\n\tkey = ${key}\n`, { mode: 0o600 });
  const here = ['-c', at('ceph.conf'), '-i', id];
  run('ceph-osd', [...here, '--mkfs', '--osd-uuid', uuid]);
  run('ceph-osd', here);
}

async function untilUp() {
  const giveUpAtMs = Date.now() + UP_TIMEOUT_MS;
  for (;;) {
    const { osdmap } = JSON.parse(ceph('-s', '--format', 'json'));
    if (osdmap.num_up_osds === 1) return;
    if (Date.now() > giveUpAtMs)
      throw new Error(`Ceph did not come up in ${UP_TIMEOUT_MS} ms: see the logs in ${folder}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
