// Time from the create request to the guest's first output, beside the same QEMU with the same arguments started by hand in the
// same run. The firmware's share is in both; the difference is what Kvorum adds. Usage: npm run bench:create  (after a build)
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureGuestImage } from '../../scripts/images/guest-image.mjs';
import { commandLine, openBenchSite, processesWith, untilDone } from './bench-site.mjs';
import { ms, percentile, printTable } from './percentiles.mjs';

const ROUND_COUNT = 15;
const MIB = 1024 * 1024;

const site = await openBenchSite();
try {
  await compare(site);
} finally {
  await site.close();
}

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

async function compare({ rest, runDir, folder }) {
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
    const measured = await createOne(rest, runDir, {
      name: `vm-${round}`,
      imageId: image.id,
      flavorId: flavor.id,
    });
    viaKvorum.push(measured.totalMs);
    accepted.push(measured.acceptedMs);
    byHand.push(await startBare(measured.line, folder));
    await untilDone(rest, (await rest('DELETE', `/v1/vms/${measured.vmId}`)).operation);
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

async function createOne(rest, runDir, body) {
  const begin = performance.now();
  const { resourceId: vmId, operation } = await rest('POST', '/v1/vms', body);
  const acceptedMs = performance.now() - begin;
  const totalMs = (await firstOutput(path.join(runDir, vmId, 'console.log'))) - begin;
  await untilDone(rest, operation);
  const [pid] = processesWith(path.join(runDir, vmId));
  return { vmId, acceptedMs, totalMs, line: commandLine(pid) };
}

/** Starts the very command line of the VM just made, in another folder and on another disk, and times its first output. */
async function startBare(line, folder) {
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
