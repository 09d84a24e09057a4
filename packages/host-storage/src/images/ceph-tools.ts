import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { endTool, type ToolEnd, type ToolRun } from '../image-tool.js';
import { parseJson } from '../parse-json.js';

/** Where volumes lie in Ceph, and as whom the host comes. Keys are in files: everybody can read a command line. */
export interface CephPlace {
  readonly pool: string;
  /** Null: the pool's own. */
  readonly namespace: string | null;
  readonly confPath: string;
  /** Without `client.`. */
  readonly user: string;
  readonly keyringPath: string;
}

/** Milliseconds, but for a cluster that does not answer: its tools would wait for ever. */
const QUICK_TIMEOUT_MS = 60_000;

type Run = Partial<Pick<ToolRun, 'timeoutMs' | 'input' | 'signal' | 'onProgress'>>;

/** errno(3), with which the tools end. */
export const ENOENT = 2;
export const EBUSY = 16;
export const EEXIST = 17;
export const EINVAL = 22;
export const ENOTEMPTY = 39;

/** The command line tools of Debian's package ceph-common. Each dies with this process, and is bounded in time. */
export class CephTools {
  readonly place: CephPlace;

  constructor(place: CephPlace) {
    this.place = place;
  }

  /** `<pool>/<namespace>/<image>@<snapshot>`, as rbd(8) reads it. */
  spec(image: string, snapshot?: string): string {
    const { pool, namespace } = this.place;
    return (
      [pool, ...(namespace === null ? [] : [namespace]), image].join('/') +
      (snapshot === undefined ? '' : `@${snapshot}`)
    );
  }

  /** The pool, as rbd(8) reads it. */
  get poolSpec(): string {
    const { pool, namespace } = this.place;
    return namespace === null ? pool : `${pool}/${namespace}`;
  }

  /** Exit codes that are answers, beside 0, are named; others throw. */
  rbd(args: readonly string[], answers: readonly number[] = [], run: Run = {}): Promise<ToolEnd> {
    return this.#end('rbd', args, answers, run);
  }

  /** rados(8) ends with 1 for whatever it was that failed; what it was is in its words. */
  async rados(args: readonly string[], run: Run = {}): Promise<ToolEnd & { readonly isMissing: boolean }> {
    const { pool, namespace } = this.place;
    const place = ['-p', pool, ...(namespace === null ? [] : ['--namespace', namespace])];
    const ended = await this.#end('rados', [...place, ...args], [1], run);
    const isMissing = ended.exitCode !== 0 && ended.words.includes('(2) No such file or directory');
    if (ended.exitCode === 0 || isMissing) return { ...ended, isMissing };
    throw failure('rados', ended);
  }

  /** What is answered with nothing. */
  async tellCeph(args: readonly string[]): Promise<void> {
    await this.#end('ceph', args, [], {});
  }

  /** Answers in JSON. */
  async ceph<T>(args: readonly string[], shape: z.ZodType<T>): Promise<T> {
    const { stdout } = await this.#end('ceph', [...args, '--format', 'json'], [], {});
    return readAnswer('ceph', stdout, shape);
  }

  async #end(tool: string, args: readonly string[], answers: readonly number[], run: Run): Promise<ToolEnd> {
    const { confPath, user, keyringPath } = this.place;
    const who = ['--conf', confPath, '--id', user, '--keyring', keyringPath];
    const ended = await endTool([tool, ...who, ...args], {
      folder: '/',
      lockDescriptors: [],
      timeoutMs: QUICK_TIMEOUT_MS,
      ...run,
    });
    if (ended.exitCode === 0 || answers.includes(ended.exitCode)) return ended;
    throw failure(tool, ended);
  }
}

/** Throws `host_fault` for what is not the answer that the tool is known for. */
export function readAnswer<T>(tool: string, text: string, shape: z.ZodType<T>): T {
  const read = shape.safeParse(parseJson(text));
  if (read.success) return read.data;
  throw new DomainError('host_fault', `${tool} gave an answer that cannot be read: ${z.prettifyError(read.error)}`);
}

export function failure(tool: string, { exitCode, words }: ToolEnd): DomainError {
  if (/No space left on device|Disk quota exceeded/.test(words)) {
    return new DomainError('no_capacity', 'the storage pool is full: make room, or use another pool');
  }
  return new DomainError('host_fault', `${tool} failed: ${words || `exit code ${exitCode}`}`);
}
