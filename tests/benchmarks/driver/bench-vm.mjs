// VMs for benchmarks of the driver: made through it, and by hand from the very arguments it gave.
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { ANYWHERE } from '../../../packages/hypervisor-driver/dist/index.js';
import { PLAIN_HARDWARE } from '../../../packages/schema/dist/index.js';

export const MIB = 1024 * 1024;

/** A disk whose boot sector stops its processor for good: `cli; hlt; jmp`. */
export function haltingImage(folder) {
  const [raw, image] = [path.join(folder, 'halt.raw'), path.join(folder, 'halt.qcow2')];
  writeFileSync(
    raw,
    Buffer.concat([Buffer.from([0xfa, 0xf4, 0xeb, 0xfd]), Buffer.alloc(506), Buffer.from([0x55, 0xaa])]),
  );
  truncateSync(raw, MIB);
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image]);
  rmSync(raw);
  return image;
}

export function launchSpec(folder, changes = {}) {
  const vmId = randomUUID();
  return {
    vmId,
    name: 'bench',
    runDir: path.join(folder, vmId.slice(0, 8)),
    epoch: 1,
    vcpuCount: 1,
    memoryBytes: 64 * MIB,
    accelerator: 'tcg',
    machineType: 'pc-q35-10.0',
    hardware: PLAIN_HARDWARE,
    firmware: { folder: path.join(folder, 'firmware', vmId), generationId: vmId },
    diskPath: path.join(folder, 'disks', `${vmId}.qcow2`),
    placement: ANYWHERE,
    isPaused: true,
    ...changes,
  };
}

export const argumentsOf = (pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);

/** Starts the same command line in a folder and on a disk of its own. Resolves when its monitor has taken its first command. */
export async function startByHand(words, { runDir, diskPath }, folder) {
  const ownRunDir = path.join(folder, 'byhand');
  const ownDisk = path.join(folder, 'byhand.qcow2');
  rmSync(ownRunDir, { recursive: true, force: true });
  mkdirSync(path.join(ownRunDir, 'io'), { recursive: true });
  copyFileSync(diskPath, ownDisk);
  // The far ends of the serial line, which the driver makes as well (serial-line.ts).
  execFileSync(
    'mkfifo',
    ['in', 'out'].map((end) => path.join(ownRunDir, 'io', `serial.${end}`)),
  );
  const args = words.slice(1).map((word) => word.replaceAll(runDir, ownRunDir).replaceAll(diskPath, ownDisk));
  const begin = performance.now();
  const child = spawn(words[0], args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const qmp = await openQmp(path.join(ownRunDir, 'io', 'qmp.sock'), child);
  await qmp.execute('query-cpus-fast');
  const tookMs = performance.now() - begin;
  return { child, qmp, tookMs };
}

/** The barest client: one command at a time, nothing checked. */
export async function openQmp(socketPath, child) {
  const socket = await connectWhenBound(socketPath, child);
  // Its end shows as an answer that does not come.
  socket.on('error', () => undefined);
  const lines = createInterface({ input: socket });
  lines.on('error', () => undefined);
  const waiting = [];
  lines.on('line', (line) => {
    if (!line.includes('"event"')) waiting.shift()?.(JSON.parse(line));
  });
  await new Promise((resolve) => waiting.push(resolve));
  const execute = (name, args) =>
    new Promise((resolve) => {
      waiting.push(({ return: answer }) => resolve(answer));
      socket.write(`${JSON.stringify({ execute: name, arguments: args })}\n`);
    });
  await execute('qmp_capabilities');
  return { execute, close: () => socket.destroy() };
}

async function connectWhenBound(socketPath, child) {
  for (;;) {
    if (child !== undefined && child.exitCode !== null) throw new Error(`QEMU by hand ended with ${child.exitCode}`);
    const socket = connect(socketPath);
    const isOpen = await new Promise((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    );
    if (isOpen) return socket;
    await delay(1);
  }
}

export async function end(child) {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve));
}

const kib = (text, field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
export const residentBytes = (pid) => kib(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS');
/** Shared pages counted in parts (Pss): what the host has for it. */
export const proportionalBytes = (pid) => kib(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss');
