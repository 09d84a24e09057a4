// How fast a guest writes and reads a disk: in a VM as our driver starts it, and in the same QEMU started by hand with as little as it needs, in
// turn and in the same run. Usage: npm run bench:disk  (as root, after a build; some minutes under emulation)
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { ANYWHERE, openQemuDriver } from '../../packages/hypervisor-driver/dist/index.js';
import { MIB, PLAIN_HARDWARE, VmDevices } from '../../packages/schema/dist/index.js';
import { ensureGuestImage } from '../../scripts/images/guest-image.mjs';
import { percentile, printTable } from './percentiles.mjs';

const ROUNDS = 5;
const MEMORY_BYTES = 192 * MIB;
const DATA_BYTES = 256 * MIB;
const TRANSFER_MIB = 128;
const WAIT_MS_MAX = 180_000;
const FLUSHED_COUNT = 100;

const folder = mkdtempSync('/tmp/kvd-');
const driver = openQemuDriver();

async function until(what, look) {
  const giveUpAtMs = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > giveUpAtMs) throw new Error(`waited too long for ${what}`);
    await delay(20);
  }
}

async function startOurs(imagePath) {
  const vmId = randomUUID();
  const dataId = randomUUID();
  const [diskPath, dataPath] = [path.join(folder, `${vmId}.qcow2`), path.join(folder, `${dataId}.qcow2`)];
  await driver.ensureDisk({ path: diskPath, sizeBytes: 64 * MIB, imagePath });
  await driver.ensureDisk({ path: dataPath, sizeBytes: DATA_BYTES, imagePath: null });
  const devices = VmDevices.parse({ dataDisks: [{ id: dataId, slot: 1, sizeBytes: DATA_BYTES }] });
  const spec = {
    ...{ vmId, name: 'bench', runDir: path.join(folder, 'ours'), epoch: 1, vcpuCount: 1, memoryBytes: MEMORY_BYTES },
    ...{
      accelerator: 'tcg',
      machineType: 'pc-q35-10.0',
      hardware: { ...PLAIN_HARDWARE, devices },
      placement: ANYWHERE,
    },
    ...{ isPaused: false, diskPath, attachments: { disks: { [dataId]: dataPath }, media: {} } },
    firmware: { folder: path.join(folder, 'firmware'), generationId: vmId },
  };
  const vm = await driver.launch(spec);
  await until('the guest agent', async () => (await vm.pingGuest(1000)).isResponding);
  return {
    end: () => driver.sweep(vmId, spec.runDir),
    run: async (script) => {
      const command = { program: 'sh', args: ['-c', script], input: null };
      const id = await vm.guest.startCommand(command, 10_000);
      const ended = await until('a command', async () => {
        const status = await vm.guest.pollCommand(id, 10_000);
        return status.hasEnded && status;
      });
      return Buffer.from(ended.stdout).toString() + Buffer.from(ended.stderr).toString();
    },
  };
}

async function startByHand(imagePath) {
  const [root, data, socketPath] = ['root.qcow2', 'data.qcow2', 'qga'].map((name) => path.join(folder, name));
  await driver.ensureDisk({ path: root, sizeBytes: 64 * MIB, imagePath });
  await driver.ensureDisk({ path: data, sizeBytes: DATA_BYTES, imagePath: null });
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-nodefaults',
        '-display',
        'none',
        '-machine',
        'pc-q35-10.0,accel=tcg',
        '-m',
        `${MEMORY_BYTES / MIB}`,
        '-serial',
        'null',
      ],
      ...['-drive', `file=${root},format=qcow2,if=virtio`, '-drive', `file=${data},format=qcow2,if=virtio`],
      ...['-chardev', `socket,path=${socketPath},server=on,wait=off,id=qga`, '-device', 'virtio-serial-pci'],
      ...['-device', 'virtserialport,chardev=qga,name=org.qemu.guest_agent.0'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const socket = await until('its socket', () => connected(socketPath));
  const waiting = [];
  createInterface({ input: socket }).on('line', (line) => waiting.shift()?.(JSON.parse(line)));
  const ask = (execute, args) =>
    new Promise((resolve) => {
      waiting.push(({ return: result }) => resolve(result));
      socket.write(`${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }) })}\n`);
    });
  // Waits in the channel until the guest reads it.
  await ask('guest-ping');
  return {
    end: async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      socket.destroy();
    },
    run: async (script) => {
      const started = await ask('guest-exec', { path: 'sh', arg: ['-c', script], 'capture-output': true });
      const status = await until('a command', async () => {
        const seen = await ask('guest-exec-status', { pid: started.pid });
        return seen.exited && seen;
      });
      const text = (data) => Buffer.from(data ?? '', 'base64').toString();
      return text(status['out-data']) + text(status['err-data']);
    },
  };
}

const connected = (socketPath) =>
  new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(null));
  });

/** As the guest itself measures it, to 10 ms. */
async function secondsOf(guest, script) {
  const words = await guest.run(`read from _ </proc/uptime; ${script}; read to _ </proc/uptime; echo "took $from $to"`);
  const [, from, to] = /took ([0-9.]+) ([0-9.]+)/.exec(words) ?? [];
  if (!(Number(to) > Number(from))) throw new Error(`no time in: ${words}`);
  return Number(to) - Number(from);
}

const WORK = [
  ['write and flush', `dd if=/dev/zero of=/dev/vdb bs=1M count=${TRANSFER_MIB} conv=fsync`, TRANSFER_MIB, 'MiB/s'],
  [
    'read, caches of the guest dropped',
    `echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vdb of=/dev/null bs=1M count=${TRANSFER_MIB}`,
    TRANSFER_MIB,
    'MiB/s',
  ],
  [
    'write 4 KiB, each flushed, by a program of its own',
    `for at in $(seq ${FLUSHED_COUNT}); do dd if=/dev/zero of=/dev/vdb bs=4k count=1 seek=$at conv=fsync 2>/dev/null; done`,
    FLUSHED_COUNT,
    'per s',
  ],
];

let guests = [];
const endAll = () => Promise.all(guests.map((guest) => guest.end().catch(() => undefined)));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => endAll().finally(() => process.exit(1)));
try {
  const imagePath = path.join(folder, 'tiny.qcow2');
  copyFileSync((await ensureGuestImage('tiny')).path, imagePath);
  guests = [await startOurs(imagePath), await startByHand(imagePath)];
  const rows = [];
  for (const [what, script, amount, unit] of WORK) {
    const rates = [[], []];
    // The first makes the clusters of the file.
    for (const guest of guests) await secondsOf(guest, script);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, guest] of guests.entries()) rates[index].push(amount / (await secondsOf(guest, script)));
    }
    const [ours, byHand] = rates.map((samples) => percentile(samples, 0.5));
    const text = (rate) => `${rate.toFixed(0)} ${unit}`;
    rows.push({ what, 'through us, p50': text(ours), 'by hand, p50': text(byHand), ratio: (ours / byHand).toFixed(2) });
  }
  printTable(rows);
} finally {
  await endAll();
  rmSync(folder, { recursive: true, force: true });
}
