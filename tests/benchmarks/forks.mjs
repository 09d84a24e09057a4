// What forking a running Linux costs, beside booting it in the same run, and what memory forks share. Usage: npm run bench:fork [forks]
// (after a build; some 3 min under emulation with the default of 40)
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { ANYWHERE, openQemuDriver } from '../../packages/hypervisor-driver/dist/index.js';
import { MIB, PLAIN_HARDWARE } from '../../packages/schema/dist/index.js';
import { ensureGuestImage } from '../../scripts/images/guest-image.mjs';
import { percentile, printTable } from './percentiles.mjs';

const FORK_COUNT = Number(process.argv[2] ?? 40);
const BOOT_COUNT = 3;
const MEMORY_BYTES = 128 * MIB;
const DISK_BYTES = 64 * MIB;
const ANSWER_MS_MAX = 120_000;

const folder = mkdtempSync('/tmp/kvf-');
const driver = openQemuDriver();
const running = [];

async function endAll() {
  for (const { vm, spec } of running) await driver.sweep(vm.vmId, spec.runDir).catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
}
// Guests outlive who started them.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => endAll().finally(() => process.exit(1)));

function specOf() {
  const vmId = randomUUID();
  const runDir = path.join(folder, vmId.slice(0, 8));
  return {
    ...{ vmId, name: 'bench', runDir, epoch: 1, vcpuCount: 1, memoryBytes: MEMORY_BYTES, accelerator: 'tcg' },
    ...{ machineType: 'pc-q35-10.0', hardware: PLAIN_HARDWARE, placement: ANYWHERE, isPaused: false },
    diskPath: path.join(folder, `${vmId}.qcow2`),
    firmware: { folder: path.join(folder, 'firmware', vmId), generationId: vmId },
  };
}

async function untilAgent(vm) {
  const giveUpAtMs = performance.now() + ANSWER_MS_MAX;
  while (!(await vm.pingGuest(1000)).isResponding) {
    if (performance.now() > giveUpAtMs) throw new Error('the guest agent does not answer');
  }
}

/** Times from the request until the driver is done with it, and until the guest's agent answers. */
async function timed(disk, start) {
  const spec = specOf();
  const startedAtMs = performance.now();
  await driver.ensureDisk({ path: spec.diskPath, sizeBytes: DISK_BYTES, ...disk });
  const vm = await start(spec);
  const upMs = performance.now() - startedAtMs;
  await untilAgent(vm);
  running.push({ vm, spec });
  return { vm, spec, upMs, answerMs: performance.now() - startedAtMs };
}

function memoryOf({ pid }) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (field) => Number(new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
  return { rss: bytes('Rss'), pss: bytes('Pss') };
}

const mib = (bytes) => `${(bytes / MIB).toFixed(0)} MiB`;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const ms = (values, share) => `${percentile(values, share).toFixed(0)} ms`;

try {
  const imagePath = path.join(folder, 'tiny.qcow2');
  copyFileSync((await ensureGuestImage('tiny')).path, imagePath);
  const boots = [];
  for (let count = 0; count < BOOT_COUNT; count += 1) {
    boots.push(await timed({ imagePath }, (spec) => driver.launch(spec)));
  }
  const bootMemory = boots.map(({ vm }) => memoryOf(vm));
  const [golden] = boots;
  for (const { vm } of boots.slice(1)) await vm.end(5_000);
  const templateId = randomUUID();
  const template = path.join(folder, 'templates', templateId);
  const freeze = {
    templateId,
    folder: template,
    runDir: path.join(folder, 'maker'),
    golden: golden.spec,
    goesOn: true,
  };
  const frozenAtMs = performance.now();
  const facts = await driver.freezeTemplate(freeze);
  const freezeMs = performance.now() - frozenAtMs;
  const forks = [];
  for (let count = 0; count < FORK_COUNT; count += 1) {
    const disk = { imagePath: facts.diskPath, base: 'template' };
    forks.push(await timed(disk, (spec) => driver.forkVm(spec, template)));
  }
  const forkMemory = forks.map(({ vm }) => memoryOf(vm));
  const row = (what, runs, memory) => ({
    what,
    'running p50': ms(
      runs.map(({ upMs }) => upMs),
      0.5,
    ),
    'agent answers p50': ms(
      runs.map(({ answerMs }) => answerMs),
      0.5,
    ),
    p99: ms(
      runs.map(({ answerMs }) => answerMs),
      0.99,
    ),
    'RSS each': mib(mean(memory.map(({ rss }) => rss))),
    'PSS each': mib(mean(memory.map(({ pss }) => pss))),
  });
  console.log(`\nLinux with ${mib(MEMORY_BYTES)}: ${BOOT_COUNT} booted, ${FORK_COUNT} forked, one after the other\n`);
  printTable([row('boot', boots, bootMemory), row('fork', forks, forkMemory)]);
  console.log(
    `\nfreezing: ${freezeMs.toFixed(0)} ms, of which the VM stood still for a part; the template takes ${mib(facts.occupiedBytes)}`,
  );
} finally {
  await endAll();
}
process.exit(0);
