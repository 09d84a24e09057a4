import type { Readable } from 'node:stream';
import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { LeaseLost } from '../operations/lease-lost.js';
import { holdLease } from '../operations/operation-lease.store.js';
import type { ImageStore, ReceivedImage } from './image-store.js';

interface Worker {
  readonly operationId: string;
  readonly fencingToken: number;
  readonly services: Pick<ControlPlane, 'database' | 'images'>;
}

/** Receives, checks and keeps what an operation makes an image of. Throws what ImageStore.receive throws, and LeaseLost. */
export async function takeInContent(
  { operationId, fencingToken, services }: Worker,
  imageId: string,
  content: Readable,
  wanted: Parameters<ImageStore['receive']>[2],
): Promise<ReceivedImage['facts']> {
  const received = await services.images.receive(imageId, content, wanted);
  try {
    // A worker that was thought dead must not put its own content in place of the one whose digest gets recorded.
    await withTransaction(services.database, async (tx) => {
      if (!(await holdLease(tx, operationId, fencingToken))) throw new LeaseLost(operationId);
      await received.keep();
    });
  } finally {
    await received.discard();
  }
  return received.facts;
}
