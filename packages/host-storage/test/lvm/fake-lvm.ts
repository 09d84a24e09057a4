import { execFileSync } from 'node:child_process';
import {
  chownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { DomainError } from '@kvorum/schema';
import type { ToolEnd } from '../../src/image-tool.js';

/** lvm2 ends with it for whatever it was. */
const FAILED = 5;
const EXTENT_BYTES = 1024 * 1024;
const BLOCK_BYTES = 512;

interface FakeVolume {
  sizeBytes: number;
  readonly origin: string;
  readonly tags: string[];
  readonly madeAtS: number;
  /** What its link leads to; null: it is not active. */
  device: string | null;
}

export interface FakeThinPool {
  readonly name: string;
  readonly sizeBytes: number;
  readonly tags: string[];
  readonly whenFull: string;
  readonly zero: string;
  readonly extentBytes: number;
  readonly metadataPercent: string;
  /** Volumes are block devices, as loop(4) makes them of files; needs root, and `close`. */
  readonly usesLoops: boolean;
}

class Refused extends Error {}
const refuse = (words: string): never => {
  throw new Refused(words);
};

/**
 * Stands in for lvm(8) where there is no device-mapper: takes the command lines that Kvorum uses, refuses all others, and keeps what
 * lvm2 keeps, with its rules and its words. Volumes are files; what was never written reads as zeros. The same contract is run
 * on a real thin pool where there is one (KVORUM_TEST_LVM_THIN_POOL).
 */
export class FakeLvm {
  /** As /dev: an active volume is at GROUP/VOLUME. */
  readonly deviceFolder: string;
  readonly commands: string[][] = [];
  readonly #group: string;
  readonly #pool: FakeThinPool;
  readonly #dataFolder: string;
  readonly #volumes = new Map<string, FakeVolume>();

  constructor(folder: string, group: string, pool: Partial<FakeThinPool> & Pick<FakeThinPool, 'name' | 'sizeBytes'>) {
    this.deviceFolder = join(folder, 'dev');
    this.#dataFolder = join(folder, 'data');
    this.#group = group;
    const usual = { tags: [], whenFull: 'error', zero: 'zero', extentBytes: EXTENT_BYTES, metadataPercent: '1.00' };
    this.#pool = { ...usual, usesLoops: false, ...pool };
    mkdirSync(join(this.deviceFolder, group), { recursive: true });
    mkdirSync(this.#dataFolder, { recursive: true });
  }

  /** Nothing of it waits, so that no two come between each other: the lock of the group. */
  readonly end = async (args: readonly string[], signal?: AbortSignal): Promise<ToolEnd> => {
    if (signal?.aborted === true) throw new DomainError('cancelled', `${args[0]} was cancelled`);
    this.commands.push([...args]);
    try {
      return { exitCode: 0, stdout: this.#run(args), words: '' };
    } catch (thrown) {
      if (thrown instanceof Refused) return { exitCode: FAILED, stdout: '', words: thrown.message };
      throw thrown;
    }
  };

  #run([tool, ...args]: readonly string[]): string {
    switch (tool) {
      case 'lvs':
        return this.#lvs(args);
      case 'lvcreate':
        return this.#lvcreate(args);
      case 'lvextend':
        return this.#lvextend(args);
      case 'lvremove':
        return this.#lvremove(args);
      case 'lvrename':
        return this.#lvrename(args);
      case 'lvchange':
        return this.#lvchange(args);
      default:
        return refuse(`No such command '${tool}'.`);
    }
  }

  #lvs(args: readonly string[]): string {
    const { values, positionals } = parse(args, {
      ...{ reportformat: { type: 'string' }, units: { type: 'string' }, nosuffix: { type: 'boolean' } },
      ...{ config: { type: 'string' }, o: { type: 'string', short: 'o' } },
    });
    const isKnown = values['reportformat'] === 'json' && values['units'] === 'b' && values['nosuffix'] === true;
    if (!isKnown || values['config'] !== 'report{time_format="%s"}') refuse('not the report that is known here');
    if (positionals[0] !== this.#group) refuse(`Volume group "${positionals[0]}" not found`);
    const opened = this.#openDevices();
    const rows = [...this.#volumes].map(([name, volume]) => this.#row(name, volume, opened));
    const usedBytes = [...this.#volumes.keys()].reduce((sum, name) => sum + this.#usedBytes(name), 0);
    const { name, sizeBytes, tags, whenFull, metadataPercent } = this.#pool;
    const pool = {
      ...this.#common(),
      ...{ lv_name: name, lv_size: String(sizeBytes), origin: '', lv_tags: tags.join(','), lv_time: '1764000000' },
      ...{ data_percent: percent(usedBytes, sizeBytes), metadata_percent: metadataPercent, lv_device_open: '' },
      ...{ segtype: 'thin-pool', pool_lv: '', lv_when_full: whenFull },
    };
    return JSON.stringify({ report: [{ lv: [...rows, pool] }] });
  }

  #row(name: string, { sizeBytes, origin, tags, madeAtS, device }: FakeVolume, opened: ReadonlySet<string>): object {
    return {
      ...this.#common(),
      ...{ lv_name: name, lv_size: String(sizeBytes), lv_tags: tags.join(','), lv_time: String(madeAtS) },
      // Of one that is gone lvm2 has no name.
      origin: this.#volumes.has(origin) ? origin : '',
      data_percent: device !== null ? percent(this.#usedBytes(name), sizeBytes) : '',
      metadata_percent: '',
      lv_device_open: device !== null && opened.has(device) ? 'open' : '',
      ...{ segtype: 'thin', pool_lv: this.#pool.name, lv_when_full: '' },
    };
  }

  #common(): object {
    return { vg_extent_size: String(this.#pool.extentBytes), zero: this.#pool.zero };
  }

  #lvcreate(args: readonly string[]): string {
    const { values, positionals } = parse(args, {
      ...{ yes: { type: 'boolean' }, name: { type: 'string' }, wipesignatures: { type: 'string' } },
      ...{ activate: { type: 'string' }, virtualsize: { type: 'string' }, thinpool: { type: 'string' } },
      ...{ snapshot: { type: 'boolean' }, permission: { type: 'string' }, setactivationskip: { type: 'string' } },
    });
    const name = String(values['name']);
    if (this.#volumes.has(name)) {
      refuse(`Logical Volume "${name}" already exists in volume group "${this.#group}"`);
    }
    const made = { tags: [], device: null, madeAtS: Math.floor(Date.now() / 1000) };
    if (values['snapshot'] === true) {
      const [origin, { sizeBytes }] = this.#get(positionals[0]);
      execFileSync('cp', ['--reflink=auto', '--sparse=always', '--', this.#dataOf(origin), this.#dataOf(name)]);
      this.#volumes.set(name, { ...made, origin, sizeBytes });
    } else {
      if (positionals[0] !== this.#group || values['thinpool'] !== this.#pool.name) refuse('no such pool');
      const sizeBytes = bytesOf(values['virtualsize']);
      writeFileSync(this.#dataOf(name), '');
      truncateSync(this.#dataOf(name), sizeBytes);
      this.#volumes.set(name, { ...made, origin: '', sizeBytes });
    }
    if (values['setactivationskip'] !== 'y') this.#activate(name);
    return '';
  }

  #lvextend(args: readonly string[]): string {
    const { values, positionals } = parse(args, { size: { type: 'string' } });
    const [name, volume] = this.#get(positionals[0]);
    const sizeBytes = bytesOf(values['size']);
    if (sizeBytes === volume.sizeBytes) refuse('New size given matches existing size.');
    if (sizeBytes < volume.sizeBytes) refuse('New size given is not larger than existing size.');
    truncateSync(this.#dataOf(name), sizeBytes);
    if (this.#pool.usesLoops && volume.device !== null) execFileSync('losetup', ['--set-capacity', volume.device]);
    volume.sizeBytes = sizeBytes;
    return '';
  }

  #lvremove(args: readonly string[]): string {
    const { positionals } = parse(args, { yes: { type: 'boolean' } });
    const [name, { device }] = this.#get(positionals[0]);
    if (device !== null && this.#openDevices().has(device)) refuse(`Logical volume ${positionals[0]} in use.`);
    this.#deactivate(name);
    rmSync(this.#dataOf(name));
    this.#volumes.delete(name);
    return '';
  }

  #lvrename(args: readonly string[]): string {
    const [group, from, to = ''] = parse(args, {}).positionals;
    const [name, volume] = this.#get(`${group}/${from}`);
    if (this.#volumes.has(to)) refuse(`Logical volume "${to}" already exists in volume group "${group}"`);
    const { device } = volume;
    this.#deactivate(name);
    this.#volumes.delete(name);
    this.#volumes.set(to, volume);
    renameSync(this.#dataOf(name), this.#dataOf(to));
    if (device !== null) this.#activate(to);
    return '';
  }

  #lvchange(args: readonly string[]): string {
    const { values, positionals } = parse(args, {
      ...{ addtag: { type: 'string' }, activate: { type: 'string' }, ignoreactivationskip: { type: 'boolean' } },
    });
    const isPool = positionals[0] === `${this.#group}/${this.#pool.name}`;
    const tags = isPool ? this.#pool.tags : this.#get(positionals[0])[1].tags;
    const tag = values['addtag'];
    if (typeof tag === 'string' && !tags.includes(tag)) tags.push(tag);
    if (values['activate'] === 'y') this.#activate(this.#get(positionals[0])[0]);
    return '';
  }

  /** An active volume has a device: here the file itself, or a loop over it. */
  #activate(name: string): void {
    const volume = this.#volumes.get(name);
    if (volume === undefined || volume.device !== null) return;
    const find = ['--find', '--show', this.#dataOf(name)];
    volume.device = this.#pool.usesLoops
      ? execFileSync('losetup', find, { encoding: 'utf8' }).trim()
      : this.#dataOf(name);
    symlinkSync(volume.device, this.#linkOf(name));
  }

  #deactivate(name: string): void {
    const volume = this.#volumes.get(name);
    if (volume === undefined || volume.device === null) return;
    rmSync(this.#linkOf(name));
    if (this.#pool.usesLoops) {
      // A VM's user was given it.
      chownSync(volume.device, 0, 0);
      execFileSync('losetup', ['--detach', volume.device]);
    }
    volume.device = null;
  }

  /** The host's loops are free again. */
  close(): void {
    for (const name of this.#volumes.keys()) this.#deactivate(name);
  }

  /** Of VG/LV. */
  #get(spec: string | undefined): [string, FakeVolume] {
    const [group, name = '', ...rest] = String(spec).split('/');
    if (group !== this.#group || rest.length > 0) refuse(`Volume group "${group}" not found`);
    return [name, this.#volumes.get(name) ?? refuse(`Failed to find logical volume "${spec}"`)];
  }

  #dataOf(name: string): string {
    return join(this.#dataFolder, name);
  }
  #linkOf(name: string): string {
    return join(this.deviceFolder, this.#group, name);
  }
  #usedBytes(name: string): number {
    return statSync(this.#dataOf(name)).blocks * BLOCK_BYTES;
  }

  /** What any process has open. */
  #openDevices(): Set<string> {
    const opened = new Set<string>();
    for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        for (const fd of readdirSync(`/proc/${pid}/fd`)) {
          opened.add(readlinkSync(`/proc/${pid}/fd/${fd}`));
        }
      } catch {
        // It has ended, or has closed that one.
      }
    }
    return opened;
  }
}

const percent = (bytes: number, of: number): string => Math.min(100, (bytes / of) * 100).toFixed(2);

function bytesOf(text: unknown): number {
  if (typeof text !== 'string' || !/^\d+b$/.test(text)) return refuse(`Invalid argument for a size: ${String(text)}`);
  return Number(text.slice(0, -1));
}

function parse(
  args: readonly string[],
  options: NonNullable<ParseArgsConfig['options']>,
): { values: Record<string, unknown>; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (thrown) {
    return refuse((thrown as Error).message);
  }
}
