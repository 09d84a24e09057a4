import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import type { ImageStore, SnapshotName, StoreRoom, StoreWatch } from '../images/image-store.js';
import type { CopyOut, SetAsideData, Turn, VolumeDevice } from '../storage-pool.js';
import { copyDeviceOut, fillDevice } from './copy-device.js';
import {
  formerNameOf,
  imageOf,
  setAsideNameOf,
  snapshotOf,
  snapshotPrefixOf,
  snapshotVolumeNameOf,
  volumeNameOf,
} from './lvm-names.js';
import { failure, type LogicalVolume, type LvmTools } from './lvm-tools.js';

/** Of a clone that is whole in itself by the record; in a thin pool each is. */
const WHOLE_TAG = 'kvorum.whole';
const POLL_MS = 250;
/** udevd looks into a device that has just come, or was closed, for a moment. */
const STAY_MS = 2_500;
const CLOSE_WAIT_MS = 10_000;

export interface LvmThinOptions {
  readonly tools: LvmTools;
  readonly qemuImgPath: string;
  /** Where devices of volume groups are found: `/dev`. */
  readonly deviceFolder: string;
}

/**
 * Thin volumes of LVM (lvmthin(7)) as images. A snapshot is a thin volume as well: one that is never written, nor active unless it is
 * cloned. Blocks are counted by the pool, so that nothing rests on anything: each volume may go whenever nobody has it open.
 *
 * Names are never given twice, and lvm2 locks the group for each step: one that comes twice finds its volume there, or gone.
 */
export class LvmThinImages implements ImageStore {
  readonly #tools: LvmTools;
  readonly #options: LvmThinOptions;

  constructor(options: LvmThinOptions) {
    this.#tools = options.tools;
    this.#options = options;
  }

  /** New blocks read as zeros: the pool is checked for that when it is opened. */
  async create(image: string, sizeBytes: number): Promise<void> {
    const size = ['--virtualsize', `${await this.#roundUp(sizeBytes)}b`, '--thinpool', this.#tools.place.pool];
    const how = ['--wipesignatures', 'n', '--activate', 'y', ...size];
    await this.#make(volumeNameOf(image), [...how, this.#tools.place.group]);
  }

  async clone(from: SnapshotName & { readonly sizeBytes: number }, image: string, sizeBytes: number): Promise<void> {
    const origin = snapshotVolumeNameOf(from);
    const how = ['--snapshot', '--permission', 'rw', '--setactivationskip', 'n', '--activate', 'y'];
    try {
      await this.#make(volumeNameOf(image), [...how, this.#tools.spec(origin)]);
    } catch (thrown) {
      if ((await this.#find(origin)) !== null) throw thrown;
      throw new DomainError('not_found', `the snapshot ${from.snapshot} is not on the pool any more`);
    }
    if (from.sizeBytes < sizeBytes) await this.grow(image, sizeBytes);
  }

  /** Nothing is copied: the pool keeps blocks for as long as any volume has them. */
  async flatten(image: string, { signal, onProgress }: StoreWatch): Promise<void> {
    await this.#tools.run(['lvchange', '--addtag', WHOLE_TAG, this.#spec(image)], signal);
    onProgress?.(1);
  }

  async fill(image: string, path: string): Promise<void> {
    await this.makeReady(image);
    await fillDevice(this.#options.qemuImgPath, path, this.#pathOf(image));
  }

  async copyOut(image: string, target: CopyOut, watch: StoreWatch): Promise<void> {
    await this.makeReady(image);
    await copyDeviceOut(this.#options.qemuImgPath, this.#pathOf(image), target, watch);
  }

  async grow(image: string, sizeBytes: number): Promise<void> {
    const wantedBytes = await this.#roundUp(sizeBytes);
    const ended = await this.#tools.end(['lvextend', '--size', `${wantedBytes}b`, this.#spec(image)]);
    // It refuses to make it smaller, and to leave it as it is.
    if (ended.exitCode !== 0 && (await this.sizeBytes(image)) < wantedBytes) throw failure('lvextend', ended);
  }

  /** A device has the size that it has: the VM's process can only be told of it. */
  growUnder(image: string, sizeBytes: number): Promise<void> {
    return this.grow(image, sizeBytes);
  }

  async sizeBytes(image: string): Promise<number> {
    return (await this.#get(volumeNameOf(image))).sizeBytes;
  }

  /** Blocks that it shares with others count for each. What is not active is not known, and counted as nothing. */
  async allocatedBytes(image: string): Promise<number> {
    const { volumes } = await this.#tools.list();
    const isPart = ({ name }: LogicalVolume) =>
      name === volumeNameOf(image) || name.startsWith(snapshotPrefixOf(image));
    return volumes.filter(isPart).reduce((sum, one) => sum + Math.round(one.sizeBytes * (one.usedRatio ?? 0)), 0);
  }

  /** The kernel holds writes to the volume still meanwhile (dm-thin suspends the origin), so that it is of one moment. */
  async snapshot(name: SnapshotName): Promise<void> {
    const how = ['--snapshot', '--permission', 'r', '--setactivationskip', 'y'];
    await this.#make(snapshotVolumeNameOf(name), [...how, this.#spec(name.image)]);
  }

  turnOf(volumeId: string, name: SnapshotName): Turn {
    return { kind: 'still', volumeId, take: () => this.snapshot(name) };
  }

  async removeSnapshot(name: SnapshotName): Promise<void> {
    await this.#remove(snapshotVolumeNameOf(name));
  }

  async snapshotNames(image: string): Promise<string[]> {
    const names = (await this.#tools.list()).volumes.map(({ name }) => name);
    return names.filter((name) => name.startsWith(snapshotPrefixOf(image))).map((name) => snapshotOf(image, name));
  }

  async hasClones(name: SnapshotName): Promise<boolean> {
    const origin = snapshotVolumeNameOf(name);
    return (await this.#tools.list()).volumes.some((one) => one.origin === origin && !one.tags.includes(WHOLE_TAG));
  }

  async remove(image: string): Promise<boolean> {
    for (const snapshot of await this.snapshotNames(image)) await this.removeSnapshot({ image, snapshot });
    return this.#remove(volumeNameOf(image));
  }

  async isOpen(image: string): Promise<boolean> {
    const isOpenNow = async () => (await this.#find(volumeNameOf(image)))?.isOpen === true;
    const knownAtMs = performance.now();
    while (await isOpenNow()) {
      if (performance.now() - knownAtMs > STAY_MS) return true;
      await sleep(POLL_MS);
    }
    return false;
  }

  /** Only processes of this host can have it open, and none is taken away from them: they have to end. */
  async cutOff(image: string): Promise<void> {
    const giveUpAtMs = performance.now() + CLOSE_WAIT_MS;
    while (await this.isOpen(image)) {
      if (performance.now() <= giveUpAtMs) continue;
      throw new DomainError('conflict_state', 'the volume is open in another process: stop the VM that uses it');
    }
  }

  async makeReady(image: string): Promise<void> {
    await this.#tools.run(['lvchange', '--activate', 'y', '--ignoreactivationskip', this.#spec(image)]);
  }

  sourceOf(image: string): VolumeDevice {
    return { kind: 'device', path: this.#pathOf(image) };
  }

  /** A pool whose metadata are full stands still just as one whose data are: the fuller of both counts. */
  async observeRoom(): Promise<StoreRoom> {
    const { pool } = await this.#tools.list();
    const { name, usedRatio, metadataRatio, sizeBytes: totalBytes } = pool;
    if (usedRatio === null || metadataRatio === null)
      throw new DomainError(
        'unavailable',
        `the thin pool is not active: lvchange --activate y ${this.#tools.spec(name)}`,
      );
    const takenBytes = Math.ceil(totalBytes * Math.max(usedRatio, metadataRatio));
    return { totalBytes, freeBytes: totalBytes - takenBytes, allocatedBytes: Math.round(totalBytes * usedRatio) };
  }

  async names(): Promise<string[]> {
    return (await this.#tools.list()).volumes.flatMap(({ name }) => imageOf(name) ?? []);
  }

  /** With its snapshots, by another name: `lvs` shows them, `lvremove` ends them. */
  async setAside(image: string, olderThanMs: number): Promise<{ bytes: number } | null> {
    const found = await this.#find(volumeNameOf(image));
    if (found === null || found.isOpen || Date.now() - found.madeAtMs < olderThanMs) return null;
    const { volumes } = await this.#tools.list();
    const snapshots = volumes.filter(({ name }) => name.startsWith(snapshotPrefixOf(image)));
    // The image last: what is cut off is done again.
    for (const { name } of [...snapshots, found]) {
      const { exitCode, ...ended } = await this.#tools.end([
        ...['lvrename', this.#tools.place.group, name],
        setAsideNameOf(name),
      ]);
      if (exitCode !== 0 && (await this.#find(name)) !== null) throw failure('lvrename', { exitCode, ...ended });
    }
    return { bytes: found.sizeBytes };
  }

  async setAsideImages(): Promise<SetAsideData[]> {
    const { volumes } = await this.#tools.list();
    return volumes.flatMap(({ name, sizeBytes }) => {
      const image = name.startsWith('kviq.') ? imageOf(formerNameOf(name)) : null;
      return image === null ? [] : [{ name: image, bytes: sizeBytes }];
    });
  }

  async removeSetAside(image: string): Promise<boolean> {
    const prefix = setAsideNameOf(snapshotPrefixOf(image));
    for (const { name } of (await this.#tools.list()).volumes) if (name.startsWith(prefix)) await this.#remove(name);
    return this.#remove(setAsideNameOf(volumeNameOf(image)));
  }

  #spec(image: string): string {
    return this.#tools.spec(volumeNameOf(image));
  }

  #pathOf(image: string): string {
    return join(this.#options.deviceFolder, this.#tools.place.group, volumeNameOf(image));
  }

  /** Volumes are whole extents; those of pools are whole MiB, which extents divide, and only images of the site need it. */
  async #roundUp(sizeBytes: number): Promise<number> {
    const { extentBytes } = (await this.#tools.list()).pool;
    return Math.ceil(sizeBytes / extentBytes) * extentBytes;
  }

  async #find(name: string): Promise<LogicalVolume | null> {
    return (await this.#tools.list()).volumes.find((one) => one.name === name) ?? null;
  }

  async #get(name: string): Promise<LogicalVolume> {
    const found = await this.#find(name);
    if (found === null) throw new DomainError('host_fault', `the thin pool has no volume ${name}`);
    return found;
  }

  /** One that is there is as good: no name is given twice. */
  async #make(name: string, args: readonly string[]): Promise<void> {
    const ended = await this.#tools.end(['lvcreate', '--yes', '--name', name, ...args]);
    if (ended.exitCode !== 0 && (await this.#find(name)) === null) throw failure('lvcreate', ended);
  }

  /** False: somebody has it open. */
  async #remove(name: string): Promise<boolean> {
    const ended = await this.#tools.end(['lvremove', '--yes', this.#tools.spec(name)]);
    if (ended.exitCode === 0) return true;
    const found = await this.#find(name);
    if (found === null) return true;
    if (found.isOpen) return false;
    throw failure('lvremove', ended);
  }
}
