import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { CHANGE_MS_MAX, type DebianGuest } from './debian-site.js';
import { LINE_BYTES, lineOf } from './written-lines.js';

const exec = promisify(execFile);
/** qemu-img(1): `check` ends with 3 for leaked clusters alone: room that is lost, and no data. */
const SOUND = [0, 3];
/** A step of a verb lasts some milliseconds. */
const POLL_MS = 1;
const AMID_MS_MAX = 120_000;

/** Of volumes/<id>.json on the pool, what the tests look at. */
export interface VolumeOnPool {
  readonly state: string;
  readonly sizeBytes: number;
  readonly topId: string | null;
  readonly layers: readonly { readonly id: string }[];
  readonly snapshots: readonly { readonly id: string; readonly layerId: string }[];
  readonly holder: object | null;
  readonly pending: { readonly kind: string } | null;
}

const volumesOf = ({ place, disk }: DebianGuest): string => `${place.root}${disk.path}/pool/volumes`;

/** Where this machine finds a layer's file. */
export const layerFile = ({ place, disk }: DebianGuest, layerId: string): string =>
  `${place.root}${disk.path}/pool/layers/${layerId}.qcow2`;

export async function volumeOnPool(guest: DebianGuest, volumeId: string): Promise<VolumeOnPool | null> {
  const text = await readFile(path.join(volumesOf(guest), `${volumeId}.json`), 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as VolumeOnPool);
}

/** Until the volume's record on the pool says that what is looked for is going on. */
export async function amid(
  guest: DebianGuest,
  volumeId: string,
  isGoingOn: (volume: VolumeOnPool) => boolean | Promise<boolean>,
): Promise<void> {
  const giveUpAtMs = performance.now() + AMID_MS_MAX;
  for (;;) {
    const volume = await volumeOnPool(guest, volumeId);
    if (volume !== null && (await isGoingOn(volume))) return;
    if (performance.now() > giveUpAtMs) throw new Error(`on ${guest.host.name} nothing is going on`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Every file of the pool that has its name is a qcow2 without errors. Returns how many there are. */
export async function expectSoundLayers({ place, disk }: DebianGuest): Promise<number> {
  const names = (await readdir(`${place.root}${disk.path}/pool/layers`)).filter((name) => name.endsWith('.qcow2'));
  for (const name of names) {
    const command = [
      ...place.through,
      'qemu-img',
      'check',
      '-q',
      '-U',
      '-f',
      'qcow2',
      `${disk.path}/pool/layers/${name}`,
    ];
    const end = await exec(command[0] ?? '', command.slice(1)).then(
      () => ({ code: 0, words: '' }),
      (error: { code: number; stdout: string; stderr: string }) => ({
        code: error.code,
        words: `${error.stdout}${error.stderr}`,
      }),
    );
    expect(SOUND, `${name}: ${end.words}`).toContain(end.code);
  }
  return names.length;
}

/**
 * What a guest that boots finds on a closed volume: the file system's own journal is played back by the kernel, e2fsck then finds no fault, and
 * the file has each line up to the one that was acknowledged last. Of a snapshot of it, if one is named.
 */
export async function expectWritten(
  guest: DebianGuest,
  at: { volumeId: string; snapshotId?: string; startMib: number; file: string; acknowledged: number },
): Promise<void> {
  const { place, disk } = guest;
  const record = await eventually('the volume is free', CHANGE_MS_MAX, async () => {
    const volume = await volumeOnPool(guest, at.volumeId);
    return volume !== null && volume.holder === null && volume.pending === null && volume;
  });
  const raw = `${disk.path}/file-system`;
  const mountPoint = `${disk.path}/mounted`;
  await mkdir(place.root + mountPoint, { recursive: true });
  const { snapshotId } = at;
  const kept = record.snapshots.find(({ id }) => id === snapshotId)?.layerId;
  const layerId = snapshotId === undefined ? record.topId : kept;
  const from = `if=${disk.path}/pool/layers/${layerId}.qcow2`;
  await place.run('qemu-img', 'dd', '-f', 'qcow2', '-O', 'raw', 'bs=1M', `skip=${at.startMib}`, from, `of=${raw}`);
  try {
    await place.run('mount', '-o', 'loop', raw, mountPoint);
    const content = await readFile(`${place.root}${mountPoint}${at.file}`).finally(() =>
      place.run('umount', mountPoint),
    );
    await place.run('e2fsck', '-fn', raw);
    expect(content.byteLength).toBeGreaterThanOrEqual((at.acknowledged + 1) * LINE_BYTES);
    for (let index = 0; index <= at.acknowledged; index += 1) {
      const line = content.toString('latin1', index * LINE_BYTES, (index + 1) * LINE_BYTES);
      if (line !== lineOf(index)) expect(line, `line ${index} of ${at.file}`).toBe(lineOf(index));
    }
  } finally {
    await rm(place.root + raw, { force: true });
  }
}
