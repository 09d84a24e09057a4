import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { endTool, type ToolEnd } from '../image-tool.js';
import { parseJson } from '../parse-json.js';

/** A thin pool of LVM. */
export interface LvmPlace {
  readonly group: string;
  readonly pool: string;
}

/** A logical volume as lvs(8) tells of it. */
export interface LogicalVolume {
  readonly name: string;
  readonly sizeBytes: number;
  /** The name of the volume that it is a snapshot of; empty: of none, or of one that is gone. */
  readonly origin: string;
  readonly tags: readonly string[];
  /** Of its size, what is mapped; null: not known, as it is not active. */
  readonly usedRatio: number | null;
  readonly madeAtMs: number;
  /** A process of this host has it open. */
  readonly isOpen: boolean;
}

/** The thin pool itself. */
export interface ThinPool extends LogicalVolume {
  readonly metadataRatio: number | null;
  readonly zeroesNewBlocks: boolean;
  readonly failsWhenFull: boolean;
  readonly extentBytes: number;
}

/** Milliseconds. Tools wait for the group's lock, which each holds for as long as it runs. */
const TOOL_TIMEOUT_MS = 60_000;

/** In bytes and in seconds since 1970, so that nothing has to be guessed from words. */
const REPORT = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--config', 'report{time_format="%s"}'];
const FIELDS = [
  ...['lv_name', 'lv_size', 'origin', 'lv_tags', 'data_percent', 'metadata_percent', 'lv_time', 'lv_device_open'],
  ...['segtype', 'pool_lv', 'zero', 'lv_when_full', 'vg_extent_size'],
];

const Whole = z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(0));
/** Empty: not known. */
const Percent = z
  .string()
  .regex(/^(\d+(\.\d+)?)?$/)
  .transform((text) => (text === '' ? null : Number(text) / 100));
const Row = z.looseObject({
  lv_name: z.string(),
  lv_size: Whole,
  origin: z.string(),
  lv_tags: z.string(),
  data_percent: Percent,
  metadata_percent: Percent,
  lv_time: Whole,
  lv_device_open: z.string(),
  segtype: z.string(),
  pool_lv: z.string(),
  zero: z.string(),
  lv_when_full: z.string(),
  vg_extent_size: Whole,
});
const Report = z.looseObject({ report: z.tuple([z.looseObject({ lv: z.array(Row) })]) });

/** Runs lvm(8) to its end; the first argument names the tool. */
export type EndLvm = (args: readonly string[], signal?: AbortSignal) => Promise<ToolEnd>;

const endLvm: EndLvm = (args, signal) =>
  endTool(['lvm', ...args], {
    folder: '/',
    lockDescriptors: [],
    timeoutMs: TOOL_TIMEOUT_MS,
    ...(signal && { signal }),
  });

/** The tools of Debian's package lvm2. Each dies with this process, and is bounded in time. */
export class LvmTools {
  readonly place: LvmPlace;
  readonly #end: EndLvm;

  constructor(place: LvmPlace, end: EndLvm = endLvm) {
    this.place = place;
    this.#end = end;
  }

  /** `<group>/<volume>`, as the tools read it. */
  spec(volumeName: string): string {
    return `${this.place.group}/${volumeName}`;
  }

  /** Whatever it ends with: what became of it is seen by a look at the volumes. */
  end(args: readonly string[], signal?: AbortSignal): Promise<ToolEnd> {
    return this.#end(args, signal);
  }

  async run(args: readonly string[], signal?: AbortSignal): Promise<void> {
    const ended = await this.end(args, signal);
    if (ended.exitCode !== 0) throw failure(args[0] ?? '', ended);
  }

  /** The pool, and the volumes in it. Throws `host_fault` where there is no such pool. */
  async list(): Promise<{ readonly pool: ThinPool; readonly volumes: readonly LogicalVolume[] }> {
    const args = ['lvs', ...REPORT, '-o', FIELDS.join(','), this.place.group];
    const ended = await this.end(args);
    if (ended.exitCode !== 0) throw failure('lvs', ended);
    return readReport(ended.stdout, this.place);
  }
}

export function readReport(text: string, place: LvmPlace): { pool: ThinPool; volumes: LogicalVolume[] } {
  const read = Report.safeParse(parseJson(text));
  if (!read.success) {
    throw new DomainError('host_fault', `lvs gave an answer that cannot be read: ${z.prettifyError(read.error)}`);
  }
  const rows = read.data.report[0].lv;
  const pool = rows.find((row) => row.lv_name === place.pool && row.segtype === 'thin-pool');
  if (pool === undefined) throw new DomainError('host_fault', `${place.group} has no thin pool ${place.pool}`);
  return {
    pool: {
      ...volumeOf(pool),
      metadataRatio: pool.metadata_percent,
      zeroesNewBlocks: pool.zero === 'zero',
      failsWhenFull: pool.lv_when_full === 'error',
      extentBytes: pool.vg_extent_size,
    },
    volumes: rows.filter((row) => row.pool_lv === place.pool && row.segtype === 'thin').map(volumeOf),
  };
}

const volumeOf = (row: z.infer<typeof Row>): LogicalVolume => ({
  name: row.lv_name,
  sizeBytes: row.lv_size,
  origin: row.origin,
  tags: row.lv_tags === '' ? [] : row.lv_tags.split(','),
  usedRatio: row.data_percent,
  madeAtMs: row.lv_time * 1000,
  isOpen: row.lv_device_open === 'open',
});

/** lvm2 ends with 5 for whatever it was; what it was is in its words (lib/metadata/thin_manip.c, pool_manip.c). */
export function failure(tool: string, { exitCode, words }: ToolEnd): DomainError {
  if (/reached threshold|insufficient free space|No space left on device|out of (meta)?data space/i.test(words)) {
    return new DomainError('no_capacity', 'the thin pool is full: make room, or extend it with lvextend');
  }
  return new DomainError('host_fault', `${tool} failed: ${words || `exit code ${exitCode}`}`);
}
