import type { FastifyInstance } from 'fastify';
import { refusalOfField } from './problem-json.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Bodies are JSON in UTF-8 (RFC 8259) and nothing else; an empty one is no body. */
export function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, bytes: Buffer) =>
    bytes.byteLength === 0 ? undefined : parseJson(bytes),
  );
}

function parseJson(bytes: Buffer): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw refusalOfField('body', 'is not UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8's message quotes what it tripped over; a position alone cannot carry anything back.
    const position = /position (\d+)/.exec((error as SyntaxError).message)?.[1];
    throw refusalOfField(
      'body',
      position === undefined ? 'is not JSON' : `is not JSON: error at character ${position}`,
    );
  }
}
