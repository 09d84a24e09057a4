import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openQemuDriver } from '../../../packages/hypervisor-driver/dist/index.js';
import { ensureGuestImage } from '../../../scripts/images/guest-image.mjs';
import { ms, percentile } from '../percentiles.mjs';
import { launchSpec, MIB, openQmp } from './bench-vm.mjs';

const MEMORY_BYTES = 256 * MIB;
const TAKEN_BYTES = 64 * MIB;
const ROUND_COUNT = 5;
const BOOT_MS_MAX = 120_000;
const MOVE_MS_MAX = 30_000;
const LOOK_MS = 2;

/**
 * One Linux guest. In turn through the driver and over a bare QMP socket, its balloon is asked for 64 MiB, and then let go. Taken:
 * the balloon says it is there (the guest has given all pages up, and QEMU has told the kernel).
 */
export async function measureBalloon(folder) {
  const driver = openQemuDriver();
  const spec = launchSpec(folder, { memoryBytes: MEMORY_BYTES, isPaused: false });
  const { path: imagePath } = await ensureGuestImage('tiny');
  await driver.ensureDisk({ path: spec.diskPath, sizeBytes: 48 * MIB, imagePath });
  let vm = await driver.launch(spec);
  try {
    await until('the guest', BOOT_MS_MAX, () =>
      readFileSync(path.join(spec.runDir, 'console.log'), 'utf8').includes('GUEST-UP'),
    );
    await delay(2_000);
    const [viaDriver, byHand] = [[], []];
    for (let round = 0; round < ROUND_COUNT; round += 1) {
      viaDriver.push(
        await move(
          (bytes) => vm.setBalloon(bytes),
          () => vm.queryBalloon(),
        ),
      );
      await vm.release();
      const qmp = await openQmp(path.join(spec.runDir, 'io', 'qmp.sock'));
      const query = async () => (await qmp.execute('query-balloon')).actual;
      byHand.push(await move((value) => qmp.execute('balloon', { value }), query));
      qmp.close();
      await delay(50);
      vm = await driver.adopt(spec.vmId, spec.runDir);
    }
    const row = (what, samples) => ({
      what,
      'p50 taken': ms(
        percentile(
          samples.map(({ takenMs }) => takenMs),
          0.5,
        ),
      ),
      'p50 given back': ms(
        percentile(
          samples.map(({ givenMs }) => givenMs),
          0.5,
        ),
      ),
    });
    const ratio = (key) =>
      (
        percentile(
          viaDriver.map((at) => at[key]),
          0.5,
        ) /
        percentile(
          byHand.map((at) => at[key]),
          0.5,
        )
      ).toFixed(2);
    return [
      row(`64 MiB of 256 through the driver`, viaDriver),
      row('the same over a bare QMP socket', byHand),
      { what: 'ratio', 'p50 taken': `${ratio('takenMs')}x`, 'p50 given back': `${ratio('givenMs')}x` },
    ];
  } finally {
    await vm.end(2_000);
  }
}

async function move(set, query) {
  const timed = async (bytes) => {
    const begin = performance.now();
    await set(bytes);
    await until('the balloon', MOVE_MS_MAX, async () => (await query()) === bytes);
    return performance.now() - begin;
  };
  const takenMs = await timed(MEMORY_BYTES - TAKEN_BYTES);
  const givenMs = await timed(MEMORY_BYTES);
  return { takenMs, givenMs };
}

async function until(what, timeoutMs, condition) {
  const giveUpAtMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) throw new Error(`${what} took more than ${timeoutMs} ms`);
    await delay(LOOK_MS);
  }
}
