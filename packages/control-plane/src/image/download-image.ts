import {
  type AcceptedOperation,
  type DownloadImageRequest,
  type ImageId,
  newId,
  type OperationId,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from '../vm/accepted-operation.js';
import { addImage, type ImageOptions, requirePublicRight } from './create-image.js';
import { downloadImageOperation } from './download-image.operation.js';
import { literalAddress, requireAllowedHost, requirePublicAddress } from './public-address.js';

/**
 * Makes the image's row and the operation that fetches its content. What can be known without asking the network is refused
 * here. Throws already_exists, forbidden, not_found.
 */
export async function downloadImage(
  cp: ControlPlane,
  actor: Actor,
  request: DownloadImageRequest,
  options: ImageOptions = {},
): Promise<AcceptedOperation> {
  requirePublicRight(actor, request);
  const { hostname } = new URL(request.url);
  requireAllowedHost(cp.imageSources, hostname);
  const literal = literalAddress(hostname);
  if (literal !== null) requirePublicAddress(cp.imageSources, literal);
  const imageId = newId<ImageId>();
  const operationId = newId<OperationId>();
  const recorded = await withTransaction(cp.database, async (tx) => {
    const answer = { status: ACCEPTED_STATUS, resourceId: imageId, operationId };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) return { operationId: before.operationId, imageId: before.resourceId, isNew: false };
    const { url, sha256, sha512 } = request;
    const image = await addImage(tx, cp, actor, imageId, request, {
      state: 'downloading',
      url,
      sha256: sha256 ?? null,
    });
    await recordOperation(tx, {
      definition: downloadImageOperation,
      input: { imageId, url, checksum: checksumOf(sha256, sha512) },
      projectId: image.projectId,
      resourceKind: 'image',
      resourceId: imageId,
      createdBy: actor.tokenName,
      now: cp.clock(),
      operationId,
    });
    return { operationId, imageId, isNew: true };
  });
  if (recorded.isNew) await ringBell(cp, operationId);
  return acceptedOperation(cp.database, recorded.operationId, recorded.imageId);
}

const checksumOf = (sha256: string | undefined, sha512: string | undefined) => {
  if (sha256 !== undefined) return { algorithm: 'sha256', hex: sha256 } as const;
  return sha512 === undefined ? null : ({ algorithm: 'sha512', hex: sha512 } as const);
};
