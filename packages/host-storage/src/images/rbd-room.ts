import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import type { CephTools } from './ceph-tools.js';
import type { StoreRoom } from './image-store.js';

/** Ceph itself counts no more often than every few seconds. */
const KEEP_MS = 10_000;

const Bytes = z.int().min(0);
const Stats = z.looseObject({ stored: Bytes, max_avail: Bytes, quota_bytes: Bytes.default(0) });
const Pools = z.looseObject({ pools: z.array(z.looseObject({ name: z.string(), stats: Stats })) });

/** Of a whole pool of Ceph, whatever namespace: max_avail is what can still be written with its number of copies. */
export class RbdRoom {
  readonly #tools: CephTools;
  #latest: { readonly atMs: number; readonly room: Promise<StoreRoom> } | null = null;

  constructor(tools: CephTools) {
    this.#tools = tools;
  }

  observe(): Promise<StoreRoom> {
    const nowMs = performance.now();
    if (this.#latest === null || nowMs - this.#latest.atMs > KEEP_MS) {
      this.#latest = { atMs: nowMs, room: this.#measure() };
      this.#latest.room.catch(() => {
        this.#latest = null;
      });
    }
    return this.#latest.room;
  }

  async #measure(): Promise<StoreRoom> {
    const { pool } = this.#tools.place;
    const { pools } = await this.#tools.ceph(['df', 'detail'], Pools);
    const stats = pools.find(({ name }) => name === pool)?.stats;
    if (stats === undefined) throw new DomainError('host_fault', `Ceph has no pool ${pool}`);
    const { stored, max_avail: availableBytes, quota_bytes: quotaBytes } = stats;
    const left = quotaBytes === 0 ? availableBytes : Math.min(availableBytes, Math.max(0, quotaBytes - stored));
    return { totalBytes: stored + left, freeBytes: left, allocatedBytes: stored };
  }
}
