import { errorOfAnswer, KvorumError, unreachable } from './kvorum-error.js';
import type { Image } from './shapes.js';
import type { CallOptions, Transport } from './transport.js';

/** Path of a file, or its bytes as they come. */
export type UploadSource = string | AsyncIterable<Uint8Array>;

export interface UploadOptions extends CallOptions {
  /** Size of a stream, in bytes, if it is known; of a file it always is. */
  readonly sizeBytes?: number;
  /** Bytes handed to the connection so far; `totalBytes` is null when the size is not known. */
  readonly onProgress?: (doneBytes: number, totalBytes: number | null) => void;
}

/** Sends the content of an image. Never sent twice: a stream can be read once, and a repeat starts at the first byte. */
export async function uploadImageContent(
  transport: Transport,
  imageId: string,
  source: UploadSource,
  options: UploadOptions = {},
): Promise<Image> {
  const { chunks, sizeBytes } = typeof source === 'string' ? await openFile(source) : streamOf(source, options);
  const url = transport.urlOf(`/v1/images/${encodeURIComponent(imageId)}/content`);
  const request = new Request(url, {
    method: 'PUT',
    headers: {
      ...transport.headers,
      'content-type': 'application/octet-stream',
      ...(sizeBytes === null ? {} : { 'content-length': String(sizeBytes) }),
    },
    body: bodyOf(counted(chunks, sizeBytes, options.onProgress)),
    // Required by fetch for a body that is a stream (WHATWG fetch, request constructor, step 36).
    duplex: 'half',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  let response: Response;
  try {
    response = await transport.fetch(request);
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    throw error instanceof KvorumError ? error : unreachable(url, error);
  }
  if (!response.ok) throw await errorOfAnswer(response);
  return (await response.json()) as Image;
}

interface Chunks {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly sizeBytes: number | null;
}

const streamOf = (chunks: AsyncIterable<Uint8Array>, { sizeBytes }: UploadOptions): Chunks => ({
  chunks,
  sizeBytes: sizeBytes ?? null,
});

/** Imported here, so that the package also loads in a browser, which has streams but no files by path. */
async function openFile(path: string): Promise<Chunks> {
  const { open } = await import('node:fs/promises');
  const file = await open(path, 'r');
  const { size } = await file.stat();
  return { chunks: file.createReadStream(), sizeBytes: size };
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  totalBytes: number | null,
  onProgress: UploadOptions['onProgress'],
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    doneBytes += chunk.byteLength;
    onProgress?.(doneBytes, totalBytes);
  }
}

/** Pulled by the connection: a slow server stops the reading. */
export function bodyOf(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const next = await chunks.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: async () => {
      await chunks.return(undefined);
    },
  });
}
