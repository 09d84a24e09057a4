import { DomainError } from '@kvorum/schema';
import type { OfferImageRequest, OfferImageResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, OfferImage, offerOf } from './decode-request.js';

export async function offerImage(
  { images, imageOffers }: AgentServices,
  request: OfferImageRequest,
): Promise<OfferImageResponse> {
  const { sha256, ...permission } = decodeRequest(OfferImage, request);
  if ((await images.pathOf(sha256)) === null) throw new DomainError('not_found', 'the image is not on this host');
  imageOffers.add(sha256, offerOf(permission));
  return {};
}
