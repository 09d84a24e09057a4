import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { runTool } from '../image-tool.js';
import { COPY_TIMEOUT_MS } from '../layer-files.js';
import { runCopyOut } from '../run-copy-out.js';
import type { CopyOut, SetAsideData, Turn, VolumeImage } from '../storage-pool.js';
import { type CephTools, EBUSY, EEXIST, EINVAL, ENOENT, ENOTEMPTY, failure, readAnswer } from './ceph-tools.js';
import type { ImageStore, SnapshotName, StoreRoom, StoreWatch } from './image-store.js';
import { RbdRoom } from './rbd-room.js';
import { listTrash, removeFromTrash } from './rbd-trash.js';

/** exclusive-lock: one client writes at a time, and one that was cut off never again. The others need it, and make du and flatten fast. */
const FEATURES = ['layering', 'exclusive-lock', 'object-map', 'fast-diff', 'deep-flatten'];
/** Longer than a host can be away with a VM that still runs: after it, a client that was cut off could write again. */
const CUT_OFF_S = 30 * 24 * 3600;
/** The storage forgets a client that has died after 30 s (osd_client_watch_timeout). One that was cut off it forgets at once. */
const CUT_OFF_WAIT_MS = 40_000;
const POLL_MS = 250;
/** Longer than rbd(8) has an image open for what takes no copying. */
const STAY_MS = 2_500;

const Info = z.looseObject({ size: z.int().min(0), create_timestamp: z.string(), parent: z.unknown().optional() });
const Status = z.looseObject({ watchers: z.array(z.looseObject({ address: z.string() })).default([]) });
const Locks = z.array(z.looseObject({ address: z.string() }));
const Snapshots = z.array(z.looseObject({ name: z.string() }));
const Usage = z.looseObject({ images: z.array(z.looseObject({ used_size: z.int().min(0) })) });

/** Images of Ceph (rbd(8)), of format 2, whose clones are of version 2: a snapshot may go while clones rest on it. */
export class RbdImages implements ImageStore {
  readonly #tools: CephTools;
  readonly #keyPath: string;
  readonly #qemuImgPath: string;
  readonly #room: RbdRoom;

  constructor(tools: CephTools, keyPath: string, qemuImgPath: string) {
    this.#tools = tools;
    this.#room = new RbdRoom(tools);
    this.#keyPath = keyPath;
    this.#qemuImgPath = qemuImgPath;
  }

  async create(image: string, sizeBytes: number): Promise<void> {
    const features = FEATURES.flatMap((feature) => ['--image-feature', feature]);
    await this.#tools.rbd(['create', this.#spec(image), '--size', `${sizeBytes}B`, ...features], [EEXIST]);
  }

  async clone(from: SnapshotName & { readonly sizeBytes: number }, image: string, sizeBytes: number): Promise<void> {
    const features = FEATURES.flatMap((feature) => ['--image-feature', feature]);
    const names = [this.#spec(from.image, from.snapshot), this.#spec(image)];
    const { exitCode } = await this.#tools.rbd(
      ['clone', '--rbd-default-clone-format', '2', ...names, ...features],
      [EEXIST, ENOENT],
    );
    if (exitCode === ENOENT)
      throw new DomainError('not_found', `the snapshot ${from.snapshot} is not on the pool any more`);
    if (from.sizeBytes < sizeBytes) await this.grow(image, sizeBytes);
  }

  async flatten(image: string, watch: StoreWatch): Promise<void> {
    const run = { ...watch, timeoutMs: COPY_TIMEOUT_MS };
    const { exitCode, words } = await this.#tools.rbd(['flatten', this.#spec(image)], [EINVAL], run);
    // Of one that is whole already it says so, and of nothing else.
    if (exitCode !== 0 && (await this.#info(image)).parent !== undefined)
      throw failure('rbd', { exitCode, words, stdout: '' });
  }

  async fill(image: string, path: string): Promise<void> {
    const how = ['convert', '-n', '--target-is-zero', '-f', 'qcow2', '--target-image-opts', ...this.#secret];
    await runTool([this.#qemuImgPath, ...how, '--', path, this.#optionsOf(image)], {
      folder: '/',
      lockDescriptors: [],
      timeoutMs: COPY_TIMEOUT_MS,
    });
  }

  async copyOut(image: string, target: CopyOut, watch: StoreWatch): Promise<void> {
    const names = [...this.#secret, '--image-opts', '--', this.#optionsOf(image)];
    const source = { qemuImgPath: this.#qemuImgPath, arguments: names, isParsed: false };
    const run = { ...watch, folder: '/', lockDescriptors: [], timeoutMs: COPY_TIMEOUT_MS };
    await runCopyOut(source, target, run);
  }

  async grow(image: string, sizeBytes: number): Promise<void> {
    const ended = await this.#tools.rbd(
      ['resize', '--no-progress', '--size', `${sizeBytes}B`, this.#spec(image)],
      [EINVAL],
    );
    // It refuses to make it smaller, and to leave it as it is.
    if (ended.exitCode !== 0 && (await this.sizeBytes(image)) < sizeBytes) throw failure('rbd', ended);
  }

  /** librbd does it all. */
  async growUnder(): Promise<void> {}

  async sizeBytes(image: string): Promise<number> {
    return (await this.#info(image)).size;
  }

  async allocatedBytes(image: string): Promise<number> {
    const { exitCode, stdout } = await this.#tools.rbd(['du', '--format', 'json', this.#spec(image)], [ENOENT]);
    if (exitCode !== 0) return 0;
    return readAnswer('rbd', stdout, Usage).images.reduce((sum, one) => sum + one.used_size, 0);
  }

  async snapshot({ image, snapshot }: SnapshotName): Promise<void> {
    await this.#tools.rbd(['snap', 'create', '--no-progress', this.#spec(image, snapshot)], [EEXIST]);
  }

  turnOf(volumeId: string, { snapshot }: SnapshotName): Turn {
    return { kind: 'image', volumeId, snapshotName: snapshot };
  }

  async removeSnapshot({ image, snapshot }: SnapshotName): Promise<void> {
    await this.#tools.rbd(['snap', 'rm', '--no-progress', this.#spec(image, snapshot)], [ENOENT]);
  }

  async snapshotNames(image: string): Promise<string[]> {
    const { stdout } = await this.#tools.rbd(['snap', 'ls', '--format', 'json', this.#spec(image)]);
    return readAnswer('rbd', stdout, Snapshots).map(({ name }) => name);
  }

  async hasClones({ image, snapshot }: SnapshotName): Promise<boolean> {
    const asked = ['children', '--all', '--format', 'json', this.#spec(image, snapshot)];
    const { exitCode, stdout } = await this.#tools.rbd(asked, [ENOENT]);
    return exitCode === 0 && readAnswer('rbd', stdout, z.array(z.unknown())).length > 0;
  }

  async remove(image: string): Promise<boolean> {
    const run = { timeoutMs: COPY_TIMEOUT_MS };
    const go = () => this.#tools.rbd(['rm', '--no-progress', this.#spec(image)], [ENOENT, ENOTEMPTY, EBUSY], run);
    const { exitCode } = await go();
    if (exitCode === 0 || exitCode === ENOENT) return true;
    if (exitCode === EBUSY) return false;
    for (const snapshot of await this.snapshotNames(image)) await this.removeSnapshot({ image, snapshot });
    const again = await go();
    return again.exitCode === 0 || again.exitCode === ENOENT;
  }

  /** Tools of other verbs come and go meanwhile; who stays is none. */
  async isOpen(image: string): Promise<boolean> {
    const knownAtMs = performance.now();
    let staying = await this.#watchers(image);
    while (staying.length > 0 && performance.now() - knownAtMs < STAY_MS) {
      await sleep(POLL_MS);
      const now = await this.#watchers(image);
      staying = staying.filter((address) => now.includes(address));
    }
    return staying.length > 0;
  }

  /**
   * Those who watch the image have it open; who holds its lock may write to it, also after the storage has given up waiting
   * for a sign of life. Both are put on Ceph's list of clients of whom nothing is taken any more, by the number of the connection.
   */
  async cutOff(image: string): Promise<void> {
    const giveUpAtMs = performance.now() + CUT_OFF_WAIT_MS;
    for (let clients = await this.#clients(image); clients.length > 0; clients = await this.#watchers(image)) {
      for (const address of new Set(clients)) {
        await this.#tools.tellCeph(['osd', 'blocklist', 'add', address, String(CUT_OFF_S)]);
      }
      if (performance.now() > giveUpAtMs) {
        throw new DomainError('unavailable', `Ceph does not let go of clients of image ${image}; try again`);
      }
      await sleep(POLL_MS);
    }
  }

  async makeReady(): Promise<void> {}

  sourceOf(image: string): VolumeImage {
    const { pool, namespace, confPath, user } = this.#tools.place;
    return { kind: 'rbd', pool, namespace, image, confPath, user, keyPath: this.#keyPath };
  }

  observeRoom(): Promise<StoreRoom> {
    return this.#room.observe();
  }

  async names(): Promise<string[]> {
    const { stdout } = await this.#tools.rbd(['ls', '--format', 'json', this.#tools.poolSpec]);
    return readAnswer('rbd', stdout, z.array(z.string()));
  }

  async setAside(image: string, olderThanMs: number): Promise<{ bytes: number } | null> {
    const found = await this.#tools.rbd(['info', '--format', 'json', this.#spec(image)], [ENOENT]);
    if (found.exitCode !== 0) return null;
    const { size, create_timestamp: madeAt } = readAnswer('rbd', found.stdout, Info);
    // The tool runs in UTC, and does not say so.
    if (Date.now() - Date.parse(`${madeAt} UTC`) < olderThanMs) return null;
    await this.#tools.rbd(['trash', 'mv', this.#spec(image)], [ENOENT]);
    return { bytes: size };
  }

  setAsideImages(): Promise<SetAsideData[]> {
    return listTrash(this.#tools);
  }

  removeSetAside(image: string): Promise<boolean> {
    return removeFromTrash(this.#tools, image);
  }

  get #secret(): string[] {
    return ['--object', `secret,id=key,format=base64,file=${this.#keyPath.replaceAll(',', ',,')}`];
  }

  /** How QEMU's tools name it. */
  #optionsOf(image: string): string {
    const { pool, namespace, confPath, user } = this.#tools.place;
    const named = {
      driver: 'rbd',
      pool,
      image,
      conf: confPath,
      user,
      'key-secret': 'key',
      ...(namespace === null ? {} : { namespace }),
    };
    const options = Object.entries(named).map(([name, value]) => `file.${name}=${value.replaceAll(',', ',,')}`);
    return ['driver=raw', ...options].join(',');
  }

  #spec(image: string, snapshot?: string): string {
    return this.#tools.spec(image, snapshot);
  }

  async #info(image: string): Promise<z.infer<typeof Info>> {
    const { stdout } = await this.#tools.rbd(['info', '--format', 'json', this.#spec(image)]);
    return readAnswer('rbd', stdout, Info);
  }

  async #watchers(image: string): Promise<string[]> {
    const { exitCode, stdout } = await this.#tools.rbd(['status', '--format', 'json', this.#spec(image)], [ENOENT]);
    if (exitCode !== 0) return [];
    return readAnswer('rbd', stdout, Status).watchers.map(({ address }) => address);
  }

  async #clients(image: string): Promise<string[]> {
    const { exitCode, stdout } = await this.#tools.rbd(['lock', 'ls', '--format', 'json', this.#spec(image)], [ENOENT]);
    const lockers = exitCode === 0 ? readAnswer('rbd', stdout, Locks).map(({ address }) => address) : [];
    return [...lockers, ...(await this.#watchers(image))];
  }
}
