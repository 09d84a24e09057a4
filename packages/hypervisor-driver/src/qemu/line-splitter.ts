/** Thrown by `push` when a peer sends a line longer than the bound; the connection must be closed then. */
export class LineTooLong extends RangeError {
  override readonly name = 'LineTooLong';
}

/** Cuts a byte stream into lines, keeping at most `bytesMax` of an unfinished one. */
export class LineSplitter {
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The lines that this chunk finishes, without their newline. */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts));
      this.#parts = [];
      this.#bytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#bytesMax) throw new LineTooLong(`a line is longer than ${this.#bytesMax} bytes`);
    this.#parts.push(part);
  }
}

const NEWLINE = 0x0a;
