import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import { type OpenedUrl, openUrl } from './open-url.js';
import type { ImageSources } from './public-address.js';

/** A transfer of hours meets a broken connection now and then; a server that breaks each one is not worth more. */
const RESUME_COUNT_MAX = 20;
/** Before the first byte: a wrong URL should be told in seconds. */
const OPEN_TRY_COUNT = 3;
const OPEN_PAUSE_MS = 2_000;

export interface FetchedImage {
  readonly content: Readable;
  readonly contentLength: number | null;
}

/**
 * The content at the URL as one stream. Where the connection breaks, the rest alone is asked for, and only if the server says
 * by its entity tag that it is still the same file (RFC 9110, 13.1.5). Throws forbidden, not_found; the stream fails with
 * `unavailable`.
 */
export async function fetchImage(sources: ImageSources, url: string, signal: AbortSignal): Promise<FetchedImage> {
  const first = await openFirst(sources, url, signal);
  return {
    content: Readable.from(parts(first, (rest) => openUrl(sources, url, signal, rest), signal)),
    contentLength: first.contentLength,
  };
}

async function openFirst(sources: ImageSources, url: string, signal: AbortSignal): Promise<OpenedUrl> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await openUrl(sources, url, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
      if (tries === OPEN_TRY_COUNT) throw new DomainError('not_found', error.message, { cause: error });
      await pause(OPEN_PAUSE_MS, undefined, { signal });
    }
  }
}

async function* parts(
  first: OpenedUrl,
  reopen: (rest: { offset: number; entityTag: string }) => Promise<OpenedUrl>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let opened = first;
  let offset = 0;
  for (let resumed = 0; ; resumed += 1) {
    const { body } = opened;
    try {
      for await (const part of body as AsyncIterable<Buffer>) {
        offset += part.byteLength;
        yield part;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      const { entityTag } = first;
      if (entityTag === null || resumed === RESUME_COUNT_MAX) throw broken(offset, error);
      opened = await reopen({ offset, entityTag });
      if (!opened.isRest) {
        opened.body.destroy();
        throw new DomainError(
          'unavailable',
          'the connection broke, and the server does not give the rest of that file',
        );
      }
    } finally {
      // Also when the reader has gone away.
      body.destroy();
    }
  }
}

const broken = (offset: number, cause: unknown): DomainError =>
  new DomainError('unavailable', `the connection broke after ${offset} bytes`, { cause });
