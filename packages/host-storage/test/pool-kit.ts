import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { MIB } from '@kvorum/schema';
import type { PoolCapabilities, PoolDriverName, StoragePool, VolumeSource } from '../src/index.js';
import { readMibs, toolArguments, writeMib } from './volume-bytes.js';

export const ownerId = randomUUID();

/** A pool with what a test needs to know of its storage. */
export interface TestedPool extends StoragePool {
  /** Names of all that takes room: files of layers, or images. */
  pieces(): Promise<string[]>;
  /** Ids of all volumes on record, also of those that are purged and not gone yet. */
  recorded(): Promise<string[]>;
}

export interface OpenMore {
  readonly poolId?: string;
  readonly hostId?: string;
  readonly highWaterRatio?: number;
  readonly now?: () => number;
  readonly mayInitialise?: boolean;
  /** The same place as that pool's; left out: a new one. */
  readonly beside?: TestedPool;
}

/** A kind of pool, as its contract is tested. */
export interface PoolKit {
  readonly title: string;
  readonly driver: PoolDriverName;
  readonly capabilities: PoolCapabilities;
  /** How many files or images a volume is read through that has so many snapshots. */
  chainAfter(snapshotCount: number): number;
  /** What a linked clone came from stays for as long as the clone does. */
  readonly clonesRestOnSource: boolean;
  open(more?: OpenMore): Promise<TestedPool>;
  newFolder(): string;
}

export async function newVolume(pool: StoragePool, sizeMib = 4): Promise<string> {
  const volumeId = randomUUID();
  await pool.ensureVolume({ volumeId, ownerId, sizeBytes: sizeMib * MIB });
  return volumeId;
}

export const sourceOf = async (pool: StoragePool, volumeId: string): Promise<VolumeSource> =>
  (await pool.claimVolume(volumeId, 1)).source;

export const write = async (pool: StoragePool, id: string, mib: number, byte: number): Promise<void> =>
  writeMib(await sourceOf(pool, id), mib, byte);
export const read = async (pool: StoragePool, id: string): Promise<number[]> => readMibs(await sourceOf(pool, id));

export async function snapshot(pool: StoragePool, volumeId: string): Promise<string> {
  const snapshotId = randomUUID();
  await pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId }] });
  return snapshotId;
}

/** As a VM's QEMU has it: open for writing, with the lock of its kind. */
export async function openForWriting(source: VolumeSource): Promise<{ end(): Promise<void> }> {
  const child = spawn('qemu-io', toolArguments(source), { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('write -q 0 1M\nlength\n');
  // It answers once it has opened the volume.
  await once(child.stdout, 'data');
  return {
    end: async () => {
      const gone = once(child, 'close');
      child.stdin.end();
      await gone;
    },
  };
}
