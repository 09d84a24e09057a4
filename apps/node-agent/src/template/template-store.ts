import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { replaceFile } from '@kvorum/host-storage';
import type { FreezeSpec, HypervisorDriver, TemplateFacts } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import type { Log } from '../log.js';
import type { StateFolders } from '../state/state-folders.js';

const REMOVED_SUFFIX = '.removed';
const PARTIAL_SUFFIX = '.partial';
/** Longer than any operation and its calls can live: after it no late request can come. */
const REMOVAL_REMEMBERED_MS = 7 * 24 * 3_600_000;

export interface TemplateStoreOptions {
  readonly driver: HypervisorDriver;
  readonly folders: StateFolders;
  /** Templates that disks of VMs on this host rest on, by the records of the VMs. */
  readonly inUse: () => ReadonlySet<string>;
  readonly log: Log;
}

/**
 * The templates of this host. A template is there as a whole or not at all, and one that was removed is never made again: a
 * mark is left in its place until no late request can come.
 */
export class TemplateStore {
  readonly #options: TemplateStoreOptions;
  readonly #templates = new Map<string, TemplateFacts>();
  /** Being removed: nothing new may rest on them. */
  readonly #going = new Set<string>();
  /** How many are about to write in their records that they rest on it. */
  readonly #holds = new Map<string, number>();
  #isWhole = true;

  private constructor(options: TemplateStoreOptions) {
    this.#options = options;
  }

  /** Removes what a crash left half made or half removed. A template that cannot be read is left for a person, and unknown. */
  static async open(options: TemplateStoreOptions): Promise<TemplateStore> {
    const store = new TemplateStore(options);
    const { folders, driver, log } = options;
    for (const name of await readdir(folders.templates)) {
      const path = join(folders.templates, name);
      if (name.endsWith(REMOVED_SUFFIX)) await forgetMark(path);
      const templateId = name.replace(PARTIAL_SUFFIX, '');
      if (!z.uuid().safeParse(templateId).success) continue;
      if (name.endsWith(PARTIAL_SUFFIX)) {
        await rm(path, { recursive: true, force: true });
        continue;
      }
      const facts = await driver.readTemplate(path).catch((thrown: unknown) => {
        log.error({ templateId, error: String(thrown) }, 'a template of this host cannot be read');
        store.#isWhole = false;
        return null;
      });
      if (facts !== null) store.#templates.set(templateId, facts);
    }
    return store;
  }

  /** Null: it is not here. */
  find(templateId: string): TemplateFacts | null {
    return this.#going.has(templateId) ? null : (this.#templates.get(templateId) ?? null);
  }

  /** That their disks rest on, by their SHA-256. Null: not known, as one cannot be read. */
  imagesInUse(): string[] | null {
    return this.#isWhole
      ? this.all.flatMap(({ basePaths }) => basePaths.map((path) => basename(path, '.qcow2')))
      : null;
  }

  get all(): readonly TemplateFacts[] {
    return [...this.#templates.values()];
  }

  /** Throws what HypervisorDriver.freezeTemplate throws, and `stale_generation` for one that was removed. */
  async make(freeze: FreezeSpec): Promise<TemplateFacts> {
    const { templateId } = freeze;
    await this.#assertNotRemoved(templateId);
    const facts = await this.#options.driver.freezeTemplate(freeze);
    try {
      await this.#assertNotRemoved(templateId);
    } catch (thrown) {
      // While it was being made: whoever removed it has been told that it is gone.
      await this.#options.driver.removeTemplate(freeze.folder);
      throw thrown;
    }
    this.#templates.set(templateId, facts);
    return facts;
  }

  /** Keeps the template while `task` writes down that something rests on it. Throws `conflict_state` when it is not here. */
  async holding<Result>(templateId: string, task: (facts: TemplateFacts) => Promise<Result>): Promise<Result> {
    const facts = this.find(templateId);
    if (facts === null) throw new DomainError('conflict_state', 'the template of the VM is not on this host');
    this.#holds.set(templateId, (this.#holds.get(templateId) ?? 0) + 1);
    try {
      return await task(facts);
    } finally {
      const left = (this.#holds.get(templateId) ?? 1) - 1;
      if (left === 0) this.#holds.delete(templateId);
      else this.#holds.set(templateId, left);
    }
  }

  /** Idempotent. Throws `in_use` while a disk of a VM, or another template, rests on it. */
  async remove(templateId: string): Promise<void> {
    const { driver, folders, inUse } = this.#options;
    const { diskPath = '' } = this.#templates.get(templateId) ?? {};
    const above = this.all.find(({ basePaths }) => basePaths.includes(diskPath));
    if (this.#holds.has(templateId) || inUse().has(templateId) || above !== undefined) {
      const what = above === undefined ? 'disks of VMs rest' : `the template ${above.templateId} rests`;
      throw new DomainError('in_use', `${what} on the template's disk: delete those first`);
    }
    this.#going.add(templateId);
    try {
      await replaceFile(this.#markOf(templateId), '');
      await driver.removeTemplate(folders.templateOf(templateId));
      this.#templates.delete(templateId);
    } finally {
      this.#going.delete(templateId);
    }
  }

  async #assertNotRemoved(templateId: string): Promise<void> {
    if (!this.#going.has(templateId) && !(await this.#isMarked(templateId))) return;
    throw new DomainError('stale_generation', 'this template has been removed since');
  }

  #markOf(templateId: string): string {
    return `${this.#options.folders.templateOf(templateId)}${REMOVED_SUFFIX}`;
  }

  #isMarked(templateId: string): Promise<boolean> {
    return stat(this.#markOf(templateId)).then(
      () => true,
      () => false,
    );
  }
}

async function forgetMark(path: string): Promise<void> {
  const { mtimeMs } = await stat(path);
  if (Date.now() - mtimeMs > REMOVAL_REMEMBERED_MS) await rm(path, { force: true });
}
