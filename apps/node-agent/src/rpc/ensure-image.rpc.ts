import { setTimeout as sleep } from 'node:timers/promises';
import type { EnsureImageRequest, EnsureImageResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, EnsureImage } from './decode-request.js';

const PROGRESS_INTERVAL_MS = 250;

/** Progress until the image is in the cache; then one last message. A caller that goes away does not stop the others. */
export async function* ensureImage(
  { images }: AgentServices,
  request: EnsureImageRequest,
  signal: AbortSignal,
): AsyncGenerator<EnsureImageResponse> {
  const image = decodeRequest(EnsureImage, request);
  let isSettled = false;
  const ensured = images.ensure(image).finally(() => {
    isSettled = true;
  });
  // Awaited below; until then a failure must not count as unhandled.
  ensured.catch(() => undefined);
  while (!isSettled && !signal.aborted) {
    await Promise.race([ensured.catch(() => undefined), sleep(PROGRESS_INTERVAL_MS, undefined, { ref: false })]);
    const doneBytes = images.progressOf(image.sha256);
    if (doneBytes !== null && !isSettled) yield { doneBytes, isComplete: false };
  }
  if (signal.aborted) return;
  await ensured;
  yield { doneBytes: image.sizeBytes, isComplete: true };
}
