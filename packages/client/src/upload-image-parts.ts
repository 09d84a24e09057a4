import { backoffMs, RETRY_COUNT_MAX } from './backoff.js';
import { errorOfAnswer, KvorumError, unreachable } from './kvorum-error.js';
import type { Image, ImageParts } from './shapes.js';
import { type CallOptions, initOf, type Transport } from './transport.js';
import { bodyOf } from './upload-image-content.js';

export interface UploadPartsOptions extends CallOptions {
  /** Of all parts but the last. Whoever goes on with an upload gives the same, or sends all again. */
  readonly partBytes: number;
  /** Bytes that the control plane has, or that were handed to the connection. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

interface Part {
  readonly number: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** An image has no more parts than this: those of a very large one are larger. */
const PART_COUNT_MAX = 10_000;
/** What may be better at the next try: no answer came, or it was "not now". */
const STATUSES_TO_RETRY: readonly (number | null)[] = [null, 429, 503];

/** Sends the parts that are missing, one after the other, each again a few times where the line breaks, and completes the image. */
export async function uploadImageInParts(
  transport: Transport,
  imageId: string,
  path: string,
  options: UploadPartsOptions,
): Promise<Image> {
  // Imported here, so that the package also loads in a browser.
  const [{ createReadStream }, { stat }] = await Promise.all([import('node:fs'), import('node:fs/promises')]);
  const { size: totalBytes } = await stat(path);
  const parts = partsOf(totalBytes, options.partBytes);
  const there = await partsThere(transport, imageId, options);
  let doneBytes = 0;
  for (const part of parts) {
    const { number, offset, sizeBytes } = part;
    if (there.get(number) !== sizeBytes) {
      const read = () => createReadStream(path, { start: offset, end: offset + sizeBytes - 1 });
      const told = (partBytes: number) => options.onProgress?.(doneBytes + partBytes, totalBytes);
      await sendPart(transport, imageId, part, read, told, options.signal);
    }
    doneBytes += sizeBytes;
    options.onProgress?.(doneBytes, totalBytes);
  }
  return completeImage(transport, imageId, parts.length, options.signal);
}

function partsOf(totalBytes: number, wantedBytes: number): Part[] {
  const partBytes = Math.max(wantedBytes, Math.ceil(totalBytes / PART_COUNT_MAX));
  const count = Math.max(1, Math.ceil(totalBytes / partBytes));
  return Array.from({ length: count }, (_, index) => {
    const offset = index * partBytes;
    return { number: index + 1, offset, sizeBytes: Math.min(partBytes, totalBytes - offset) };
  });
}

async function partsThere(
  { api, bodyOf: answerOf }: Transport,
  imageId: string,
  options: CallOptions,
): Promise<ReadonlyMap<number, number>> {
  const init = { params: { path: { imageId } }, ...initOf(options) };
  const { items }: ImageParts = await answerOf(api.GET('/v1/images/{imageId}/parts', init), options);
  return new Map(items.map(({ number, sizeBytes }) => [number, sizeBytes]));
}

async function sendPart(
  transport: Transport,
  imageId: string,
  { number, sizeBytes }: Part,
  read: () => AsyncIterable<Uint8Array>,
  onProgress: (doneBytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const url = transport.urlOf(`/v1/images/${encodeURIComponent(imageId)}/parts/${number}`);
  const attempt = () =>
    ask(transport, url, signal, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) },
      body: bodyOf(counted(read(), onProgress)),
      // Required by fetch for a body that is a stream (WHATWG fetch, request constructor, step 36).
      duplex: 'half',
    });
  for (let attemptCount = 0; ; attemptCount += 1) {
    try {
      await attempt();
      return;
    } catch (error) {
      const mayTryAgain = error instanceof KvorumError && STATUSES_TO_RETRY.includes(error.status);
      if (!mayTryAgain || attemptCount >= RETRY_COUNT_MAX) throw error;
      await transport.sleep(backoffMs(attemptCount), signal ?? null);
    }
  }
}

/** Without a time limit: a conversion may take minutes. */
async function completeImage(
  transport: Transport,
  imageId: string,
  partCount: number,
  signal: AbortSignal | undefined,
): Promise<Image> {
  const url = transport.urlOf(`/v1/images/${encodeURIComponent(imageId)}/complete`);
  const body = JSON.stringify({ partCount });
  const headers = { 'content-type': 'application/json' };
  return (await ask(transport, url, signal, { method: 'POST', headers, body })) as Image;
}

async function ask(
  transport: Transport,
  url: string,
  signal: AbortSignal | undefined,
  init: RequestInit & { headers: Record<string, string>; duplex?: 'half' },
): Promise<unknown> {
  const headers = { ...transport.headers, ...init.headers };
  const request = new Request(url, { ...init, headers, ...(signal === undefined ? {} : { signal }) });
  let response: Response;
  try {
    response = await transport.fetch(request);
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw error instanceof KvorumError ? error : unreachable(url, error);
  }
  if (!response.ok) throw await errorOfAnswer(response);
  return response.json();
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onProgress: (doneBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    doneBytes += chunk.byteLength;
    onProgress(doneBytes);
  }
}
