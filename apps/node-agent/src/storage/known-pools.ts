import { readFile } from 'node:fs/promises';
import { replaceFile } from '@kvorum/host-storage';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';

const Known = z.record(z.string(), z.uuid());

/** Which pool this host has found under each name: an empty folder in its place is then not taken for a new one. */
export class KnownPools {
  readonly #path: string;
  #ids: Readonly<Record<string, string>>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, ids: Readonly<Record<string, string>>) {
    this.#path = path;
    this.#ids = ids;
  }

  static async open(path: string): Promise<KnownPools> {
    try {
      return new KnownPools(path, Known.parse(JSON.parse(await readFile(path, 'utf8'))));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return new KnownPools(path, {});
      throw new DomainError('host_fault', `${path} cannot be read; restore it, or remove it if all pools are mounted`, {
        cause: thrown,
      });
    }
  }

  idOf(name: string): string | null {
    return Object.hasOwn(this.#ids, name) ? (this.#ids[name] ?? null) : null;
  }

  async put(name: string, poolId: string): Promise<void> {
    if (this.idOf(name) === poolId) return;
    this.#ids = { ...this.#ids, [name]: poolId };
    // One after the other: pools are opened side by side, and there is one temporary name.
    const write = () => replaceFile(this.#path, `${JSON.stringify(this.#ids)}\n`);
    this.#writing = this.#writing.then(write, write);
    await this.#writing;
  }
}
