import { DomainError } from '@kvorum/schema';
import type { CephTools } from './ceph-tools.js';
import { CLOSED, digestOf, firstLine, type LogState, lastLine, readLog, valueLine } from './record-log.js';

/** A chapter is read as a whole each time: some hundred changes. */
const CHAPTER_LENGTH_MAX = 64 * 1024;
/** One for each few hundred changes of a record. */
const CHAPTER_COUNT_MAX = 100_000;

interface Found {
  readonly chapter: number;
  readonly state: LogState;
  readonly length: number;
}

/** Values in a pool of Ceph, each replaced only by who has read what is there: see record-log.ts. */
export class RadosLog {
  readonly #tools: CephTools;
  /** What was read last. Chapters before are closed, so that reading begins there; all of it is found again by reading. */
  readonly #known = new Map<string, Found>();

  constructor(tools: CephTools) {
    this.#tools = tools;
  }

  async read(name: string): Promise<LogState> {
    return (await this.#find(name)).state;
  }

  /** Null: another was first. */
  async write(name: string, value: unknown, over: string | null): Promise<string | null> {
    const known = this.#known.get(name);
    // What is known may be old: then the line does not count.
    const { chapter, state, length } = known?.state.version === over && over !== null ? known : await this.#find(name);
    if (state.version !== over) return null;
    if (length > CHAPTER_LENGTH_MAX && over !== null) {
      await this.#append(name, chapter, lastLine(over));
      // What is in the next one has another version; whoever asks reads it.
      return null;
    }
    const line = valueLine(over, value);
    await this.#append(name, chapter, line);
    return (await this.#find(name)).state.version === digestOf(line) ? digestOf(line) : null;
  }

  /** The newest chapter first: one that is closed leads nowhere then, which is no value. */
  async remove(name: string): Promise<void> {
    const { chapter } = await this.#find(name);
    for (let at = chapter; at >= 0; at -= 1) await this.#tools.rados(['rm', this.#objectOf(name, at)]);
    this.#known.delete(name);
  }

  async #find(name: string): Promise<Found> {
    for (let chapter = this.#known.get(name)?.chapter ?? 0; chapter < CHAPTER_COUNT_MAX; chapter += 1) {
      const text = await this.#get(name, chapter);
      const state = readLog(text);
      if (!state.isClosed) {
        const found = { chapter, state, length: text?.length ?? 0 };
        this.#known.set(name, found);
        return found;
      }
      // What was closed, and perhaps not carried over yet.
      if (state.version !== null) await this.#carryOver(name, chapter, state);
    }
    throw new DomainError('host_fault', `the record ${name} has no end`);
  }

  async #carryOver(name: string, chapter: number, state: LogState): Promise<void> {
    await this.#append(name, chapter + 1, firstLine(state));
    await this.#tools.rados(['put', this.#objectOf(name, chapter), '-'], { input: CLOSED });
  }

  async #get(name: string, chapter: number): Promise<string | null> {
    const { stdout, isMissing } = await this.#tools.rados(['get', this.#objectOf(name, chapter), '-']);
    return isMissing ? null : stdout;
  }

  /** One operation of the storage, of less than the 4 MiB that rados(8) writes at once. */
  async #append(name: string, chapter: number, line: string): Promise<void> {
    await this.#tools.rados(['append', this.#objectOf(name, chapter), '-'], { input: `${line}\n` });
  }

  #objectOf(name: string, chapter: number): string {
    return `kvorum.${name}.${chapter}`;
  }
}
