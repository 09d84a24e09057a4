export interface ServerSentEvent {
  /** Type of the event; `message` where the server names none. */
  readonly type: string;
  readonly data: string;
}

/** What one blank line ends. A block may carry an id without an event: the server says with it how far it has looked. */
export interface Block {
  readonly id: string | null;
  readonly retryMs: number | null;
  readonly event: ServerSentEvent | null;
}

const NOTHING = { id: null, retryMs: null, type: 'message', data: null };

/**
 * Reads the event stream format (HTML Living Standard, section 9.2.6) as it comes in pieces. Own code, because libraries
 * drop blocks without data, and with them the ids by which a reader knows where to go on. Lines end with LF or CRLF.
 */
export class BlockReader {
  /** What came after the last line end. */
  #rest = '';
  #fields: { id: string | null; retryMs: number | null; type: string; data: string | null } = { ...NOTHING };

  *read(text: string): Generator<Block> {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const ended of lines) {
      const line = ended.endsWith('\r') ? ended.slice(0, -1) : ended;
      if (line !== '') {
        this.#take(line);
        continue;
      }
      const { id, retryMs, type, data } = this.#fields;
      this.#fields = { ...NOTHING };
      yield { id, retryMs, event: data === null ? null : { type, data } };
    }
  }

  #take(line: string): void {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    const fields = this.#fields;
    // A name of no characters is a comment; unknown names are ignored.
    if (name === 'data') fields.data = fields.data === null ? value : `${fields.data}\n${value}`;
    else if (name === 'event') fields.type = value;
    else if (name === 'id') fields.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) fields.retryMs = Number(value);
  }
}
