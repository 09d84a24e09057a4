// What the verbs of a storage pool cost, beside the plain QEMU tools doing as much, in turn and in the same run.
// Usage: npm run bench:storage [MiB of data]  (after a build)
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { convertImage } from '../../packages/control-plane/dist/image/convert-image.js';
import { openDirectoryPool } from '../../packages/host-storage/dist/index.js';
import { MIB } from '../../packages/schema/dist/index.js';
import { ms, percentile, printTable } from './percentiles.mjs';

const DATA_MIB = Number(process.argv[2] ?? 256);
const ROUNDS = 7;

const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'kvorum-bench-')));
const qemuImg = (...words) => execFileSync('qemu-img', words, { stdio: ['ignore', 'ignore', 'inherit'] });
const at = (name) => path.join(folder, name);

/** Bytes that no tool can make smaller. */
function writeRaw(file) {
  const descriptor = openSync(file, 'w');
  for (let index = 0; index < DATA_MIB; index += 1) writeSync(descriptor, randomBytes(MIB));
  closeSync(descriptor);
}

async function timed(run) {
  const startedAtMs = performance.now();
  await run();
  return performance.now() - startedAtMs;
}

/** Ours and the tool's in turn, so that both see the same machine. */
async function compare(what, ours, tool) {
  const samples = { ours: [], tool: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    samples.ours.push(await timed(() => ours(round)));
    samples.tool.push(await timed(() => tool(round)));
    rmSync(at('by-hand.qcow2'), { force: true });
  }
  const [mine, theirs] = [percentile(samples.ours, 0.5), percentile(samples.tool, 0.5)];
  const worst = percentile(samples.ours, 0.99);
  return { what, 'pool, p50': ms(mine), p99: ms(worst), 'by hand, p50': ms(theirs), ratio: (mine / theirs).toFixed(2) };
}

try {
  const [raw, image, byHand] = [at('data.raw'), at('image.qcow2'), at('by-hand.qcow2')];
  writeRaw(raw);
  qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, image);
  const sha256 = createHash('sha256').update(readFileSync(image)).digest('hex');
  mkdirSync(at('pool'));
  const options = { poolId: null, driver: 'dir', hostId: randomUUID(), path: at('pool'), mayInitialise: true };
  const pool = await openDirectoryPool(options);
  const ownerId = randomUUID();
  const imageId = randomUUID();
  const takeIn = (id) => pool.importImage({ imageId: id, ownerId, sha256, path: image });
  await takeIn(imageId);
  const clone = (isLinked) =>
    pool.cloneVolume({ volumeId: randomUUID(), ownerId, source: { volumeId: imageId, snapshotId: imageId }, isLinked });
  const convert = () => qemuImg('convert', '-f', 'qcow2', '-O', 'qcow2', image, byHand);
  const converted = at('converted.qcow2');
  console.log(
    `${DATA_MIB} MiB of random data, ${ROUNDS} rounds; by hand nothing is checked, and nothing waited for to be on the disk`,
  );
  printTable([
    await compare(
      'take an image into a pool, checked by its digest | qemu-img convert',
      () => takeIn(randomUUID()),
      convert,
    ),
    await compare(
      'convert an uploaded raw image, confined | qemu-img convert',
      async () => {
        await convertImage(raw, 'raw', converted, undefined);
        rmSync(converted);
      },
      () => qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, byHand),
    ),
    await compare('full clone | qemu-img convert', () => clone(false), convert),
    await compare(
      'linked clone | qemu-img create -b',
      () => clone(true),
      () => qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', image, byHand),
    ),
    await compare(
      'empty volume | qemu-img create',
      () => pool.ensureVolume({ volumeId: randomUUID(), ownerId, sizeBytes: 64 * MIB }),
      () => qemuImg('create', '-q', '-f', 'qcow2', byHand, '64M'),
    ),
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
