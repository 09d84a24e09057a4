/** Two lanes of 32 bits, mixed as in MurmurHash3 (Appleby, public domain). Finds differences; no protection against people. */
export class Digest {
  #high = 0x9747b28c;
  #low = 0x3c6ef372;

  get high(): number {
    return this.#high >>> 0;
  }

  get low(): number {
    return this.#low >>> 0;
  }

  addWord(word: number): void {
    this.#high = mix(this.#high, word);
    this.#low = mix(this.#low, word ^ 0x5bd1e995);
  }

  addNumber(value: number): void {
    NUMBER[0] = value;
    this.addWord(WORDS[0] as number);
    this.addWord(WORDS[1] as number);
  }

  addText(text: string): void {
    for (let at = 0; at < text.length; at += 1) this.addWord(text.charCodeAt(at));
    this.addWord(-1);
  }

  /** 16 hexadecimal digits. */
  value(): string {
    return hexOf(this.#high) + hexOf(this.#low);
  }
}

const NUMBER = new Float64Array(1);
const WORDS = new Int32Array(NUMBER.buffer);

function mix(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = (mixed << 15) | (mixed >>> 17);
  mixed = hash ^ Math.imul(mixed, 0x1b873593);
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

export const hexOf = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

/** Of plain data: the same whatever the order in which the properties of an object were written. */
export function digestOf(value: unknown): string {
  const digest = new Digest();
  digest.addText(canonical(value));
  return digest.value();
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  ) ?? 'undefined';
