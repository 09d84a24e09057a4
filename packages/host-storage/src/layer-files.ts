import { chmod, chown, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { moveFile, removeFile, syncPath } from './durable-file.js';
import { endTool, runTool, type ToolRun } from './image-tool.js';
import { type LayerHeader, readLayerHeader } from './layer-header.js';
import { layersAsSource, runCopyOut } from './run-copy-out.js';
import type { CopyOut } from './storage-pool.js';
import { LayerId } from './volume-record.js';

const SUFFIX = '.qcow2';
const PARTIAL_SUFFIX = `${SUFFIX}.partial`;
/** Many VMs read it, none writes it. */
const FROZEN_MODE = 0o444;
const WRITTEN_MODE = 0o600;
/** st_blocks counts these (stat(2)). */
const STAT_BLOCK_BYTES = 512;
/** qemu-img(1): `check` ends with 3 for leaked clusters and no other fault, with 0 when all is well. */
const LEAKS_EXIT_CODE = 3;
/** `create`, `resize`, headers: milliseconds, but for a file system that hangs. */
const QUICK_TIMEOUT_MS = 60_000;
/** A large volume on a slow pool: 64 MiB/s for 1.3 TiB. */
export const COPY_TIMEOUT_MS = 6 * 3_600_000;

/** Chains are kept far below; only a loop in headers is longer. */
const WALK_LENGTH_MAX = 1000;

export interface CopyWatch {
  readonly signal?: AbortSignal;
  /** Of the bytes, 0 to 1. */
  readonly onProgress?: (fraction: number) => void;
}

/**
 * The qcow2 files of a pool, `layers/<id>.qcow2`. Tools run inside that folder and name files relative to it, also in headers: a
 * pool may be mounted anywhere, and an id, being two UUIDs, is read by QEMU neither as an option nor as a protocol.
 */
export class LayerFiles {
  readonly folder: string;
  readonly #qemuImgPath: string;

  constructor(folder: string, qemuImgPath: string) {
    this.folder = folder;
    this.#qemuImgPath = qemuImgPath;
  }

  pathOf(layerId: string): string {
    return join(this.folder, `${layerId}${SUFFIX}`);
  }

  /** Makes it anew over what a crash may have left: only for layers that no record names. */
  async create(layerId: string, parentId: string | null, sizeBytes: number, locks: readonly number[]): Promise<void> {
    const parent = parentId === null ? [] : ['-F', 'qcow2', '-b', `${parentId}${SUFFIX}`];
    await this.#complete(layerId, async (partial) => {
      await this.#run(['create', '-q', '-f', 'qcow2', ...parent, '--', partial, String(sizeBytes)], locks);
    });
  }

  /** A copy of all that is seen through `fromId`, whole in itself. */
  async copy(layerId: string, fromId: string, locks: readonly number[], watch: CopyWatch): Promise<void> {
    await this.#complete(layerId, async (partial) => {
      const names = ['--', `${fromId}${SUFFIX}`, partial];
      await this.#run(['convert', '-p', '-f', 'qcow2', '-O', 'qcow2', ...names], locks, {
        ...watch,
        timeoutMs: COPY_TIMEOUT_MS,
      });
    });
  }

  /** A copy of all that is seen through these layers, the topmost first, to a file elsewhere. */
  async copyOut(
    layerIds: readonly string[],
    target: CopyOut,
    locks: readonly number[],
    watch: CopyWatch,
  ): Promise<void> {
    for (const id of layerIds) {
      const { hasExternalData } = await readLayerHeader(this.pathOf(id));
      if (hasExternalData) throw new DomainError('host_fault', `layer ${id} keeps its data in another file`);
    }
    const paths = layerIds.map((id) => this.pathOf(id));
    const source = layersAsSource(this.#qemuImgPath, paths);
    await runCopyOut(source, target, { ...this.#toolRun(locks), ...watch, timeoutMs: COPY_TIMEOUT_MS });
  }

  /** As `copy`, of a layer that rests on nothing, on a file system that shares blocks. FICLONE (ioctl_ficlone(2)). */
  async reflink(layerId: string, fromId: string, locks: readonly number[]): Promise<void> {
    await this.#complete(layerId, async (partial) => {
      await runTool(['cp', '--reflink=always', '--', `${fromId}${SUFFIX}`, partial], this.#toolRun(locks));
    });
  }

  /** A copy of a file from elsewhere, as it is; `check` looks at it before it has its name. */
  async takeIn(
    layerId: string,
    path: string,
    locks: readonly number[],
    check: (copyPath: string) => Promise<void>,
  ): Promise<void> {
    await this.#complete(layerId, async (partial) => {
      const run = { ...this.#toolRun(locks), timeoutMs: COPY_TIMEOUT_MS };
      await runTool(['cp', '--reflink=auto', '--sparse=auto', '--', path, partial], run);
      await check(join(this.folder, partial));
    });
    await this.freeze(layerId);
  }

  /** Larger twice is larger once. */
  async grow(layerId: string, sizeBytes: number, locks: readonly number[]): Promise<void> {
    await this.#run(['resize', '-q', '-f', 'qcow2', '--', `${layerId}${SUFFIX}`, String(sizeBytes)], locks);
    await syncPath(this.pathOf(layerId));
  }

  /** Writes what `childId` has into the layer it rests on. `-d` leaves the child as it is, so that this can be repeated. */
  async mergeDown(childId: string, parentId: string, locks: readonly number[]): Promise<void> {
    await chmod(this.pathOf(parentId), WRITTEN_MODE);
    await this.repairLeaks(parentId, locks);
    const args = ['commit', '-q', '-d', '-f', 'qcow2', '--', `${childId}${SUFFIX}`];
    await this.#run(args, locks, { timeoutMs: COPY_TIMEOUT_MS });
    await syncPath(this.pathOf(parentId));
  }

  /** Has `childId` rest on a layer of the same content (`-u`: only its header changes, one cluster in one write). */
  async reparent(childId: string, parentId: string, locks: readonly number[]): Promise<void> {
    const isFrozen = ((await stat(this.pathOf(childId))).mode & 0o777) === FROZEN_MODE;
    if (isFrozen) await chmod(this.pathOf(childId), WRITTEN_MODE);
    const target = ['-b', `${parentId}${SUFFIX}`, '--', `${childId}${SUFFIX}`];
    await this.#run(['rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', ...target], locks);
    await syncPath(this.pathOf(childId));
    if (isFrozen) await this.freeze(childId);
  }

  /** How many layers are opened to read through this one, itself included, those of other volumes too. */
  async chainLength(layerId: string): Promise<number> {
    let length = 0;
    for (let at: string | null = layerId; at !== null && length < WALK_LENGTH_MAX; length += 1) {
      const { backingName } = await readLayerHeader(this.pathOf(at));
      at = backingName === null ? null : LayerFiles.layerOf(backingName);
      if (at !== null && !LayerId.safeParse(at).success)
        throw new DomainError('host_fault', `a layer names ${backingName} as its base`);
    }
    return length;
  }

  /** What a header calls it. */
  nameOf(layerId: string): string {
    return `${layerId}${SUFFIX}`;
  }

  /** On the disk, with the name. */
  async sync(layerId: string): Promise<void> {
    await syncPath(this.pathOf(layerId));
  }

  /** For reading alone from now on. A VM's user that owned it could make it writable again, so it is taken from it. */
  async freeze(layerId: string): Promise<void> {
    if (process.getuid?.() === 0) await chown(this.pathOf(layerId), 0, 0);
    await chmod(this.pathOf(layerId), FROZEN_MODE);
  }

  /** Throws `conflict_state` when a VM or a tool has the layer open for writing: without `-U`, info asks for QEMU's image lock. */
  async assertNotOpen(layerId: string, locks: readonly number[]): Promise<void> {
    await this.#run(['info', '-f', 'qcow2', '--', `${layerId}${SUFFIX}`], locks);
  }

  /**
   * The layer's own word on what it rests on. A VM's process may write to the top layer's file; so before a tool follows the name
   * in a header, it is compared with the record: a taken-over QEMU could otherwise have us read any file of the host.
   */
  async assertRestsOn(layerId: string, parentIds: readonly (string | null)[]): Promise<LayerHeader> {
    const header = await readLayerHeader(this.pathOf(layerId));
    const names = parentIds.map((id) => (id === null ? null : `${id}${SUFFIX}`));
    if (header.hasExternalData || !names.includes(header.backingName)) {
      throw new DomainError('host_fault', `layer ${layerId} is not what the pool has on record; it is left alone`);
    }
    return header;
  }

  async remove(layerId: string): Promise<void> {
    await rm(join(this.folder, `${layerId}${PARTIAL_SUFFIX}`), { force: true });
    await removeFile(this.pathOf(layerId));
  }

  /** Room it takes on the file system, in bytes; blocks that a reflink shares are counted in each. 0: not there. */
  async allocatedBytes(layerId: string): Promise<number> {
    const found = await stat(this.pathOf(layerId)).catch(() => null);
    return found === null ? 0 : found.blocks * STAT_BLOCK_BYTES;
  }

  /** All files in the folder, whoever put them there. */
  async names(): Promise<string[]> {
    return readdir(this.folder);
  }

  /** Pure: the layer a file name stands for; null: none. */
  static layerOf(fileName: string): string | null {
    const stem = fileName.endsWith(SUFFIX) ? fileName.slice(0, -SUFFIX.length) : null;
    return stem ?? (fileName.endsWith(PARTIAL_SUFFIX) ? fileName.slice(0, -PARTIAL_SUFFIX.length) : null);
  }

  /** A tool that was killed may leave clusters that nothing uses (never wrong ones); they are given back. */
  async repairLeaks(layerId: string, locks: readonly number[]): Promise<void> {
    const command = ['check', '-q', '-r', 'leaks', '-f', 'qcow2', '--', `${layerId}${SUFFIX}`];
    const { exitCode, words } = await endTool([this.#qemuImgPath, ...command], {
      ...this.#toolRun(locks),
      timeoutMs: COPY_TIMEOUT_MS,
    });
    if (exitCode === 0 || exitCode === LEAKS_EXIT_CODE) return;
    throw new DomainError('host_fault', `layer ${layerId} is damaged: ${words || 'qemu-img check'}`);
  }

  async #complete(layerId: string, make: (partialName: string) => Promise<void>): Promise<void> {
    const partialName = `${layerId}${PARTIAL_SUFFIX}`;
    const partial = join(this.folder, partialName);
    await rm(partial, { force: true });
    try {
      await make(partialName);
      await chmod(partial, WRITTEN_MODE);
      await syncPath(partial);
    } catch (thrown) {
      await rm(partial, { force: true });
      throw thrown;
    }
    await moveFile(partial, this.pathOf(layerId));
  }

  async #run(args: readonly string[], locks: readonly number[], more: Partial<ToolRun> = {}): Promise<string> {
    return runTool([this.#qemuImgPath, ...args], { ...this.#toolRun(locks), ...more });
  }

  #toolRun(lockDescriptors: readonly number[]): ToolRun {
    return { folder: this.folder, timeoutMs: QUICK_TIMEOUT_MS, lockDescriptors };
  }
}

/** Whether the file system of a folder shares blocks between files. Found by trying: XFS does or does not, as it was made. */
export async function findReflink(folder: string): Promise<boolean> {
  const from = join(folder, 'reflink.probe');
  const to = join(folder, 'reflink-copy.probe');
  try {
    const file = await open(from, 'w', WRITTEN_MODE);
    await file.writeFile('kvorum');
    await file.close();
    const run = { folder, timeoutMs: QUICK_TIMEOUT_MS, lockDescriptors: [] };
    return (await endTool(['cp', '--reflink=always', '--', from, to], run)).exitCode === 0;
  } finally {
    await rm(from, { force: true });
    await rm(to, { force: true });
  }
}
