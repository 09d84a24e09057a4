import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { DomainError } from '@kvorum/schema';

/**
 * Hands `content` on, up to `bytesMax`; more is `payload_too_large` however the length was announced. What the reader left
 * unread after a refusal is not waited for: the connection ends with the answer.
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
    content.resume();
  }
}
