import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { DomainError, MIB } from '@kvorum/schema';

/** What a sender may still send after a refusal: socket buffers of both sides, generously. */
const DISCARD_BYTES_MAX = 64 * MIB;

/**
 * Hands `content` on, up to `bytesMax`; more is `payload_too_large` however the length was announced. After a refusal little
 * of the rest is read: nobody's mistake should cost terabytes of traffic.
 */
export async function limitBytes<Result>(
  content: Readable,
  bytesMax: number,
  read: (bounded: Readable) => Promise<Result>,
): Promise<Result> {
  let passedBytes = 0;
  let excess: DomainError | undefined;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passedBytes += chunk.byteLength;
      if (passedBytes <= bytesMax) return done(null, chunk);
      const message = `is larger than ${bytesMax} bytes`;
      excess = new DomainError('payload_too_large', `body: ${message}`, {
        details: { fields: [{ field: 'body', message }] },
      });
      return done(excess);
    },
  });
  // A sender that goes away must end the reader too; pipe alone would leave it waiting.
  content.once('aborted', () => bounded.destroy(new DomainError('invalid_request', 'body: the upload broke off')));
  content.once('error', (error) => bounded.destroy(error));
  // The failure reaches whoever reads; without a reader it must not end the process.
  bounded.on('error', () => {});
  try {
    return await read(content.pipe(bounded));
  } catch (error) {
    throw excess ?? error;
  } finally {
    content.unpipe(bounded);
    bounded.destroy();
    discardRest(content);
  }
}

/** Reads on for a while, so that the sender gets to read the answer; then the connection ends. */
function discardRest(content: Readable): void {
  let discardedBytes = 0;
  content.on('data', (chunk: Buffer) => {
    discardedBytes += chunk.byteLength;
    if (discardedBytes > DISCARD_BYTES_MAX) content.destroy();
  });
  content.resume();
}
