import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Limits of one VM's processes, in the kernel's own measures. */
export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly cpuCount: number;
  readonly taskCount: number;
}

/** Period over which CPU time is rationed: the kernel's default for cfs_period_us and cpu.max. */
const CPU_PERIOD_US = 100_000;
/** A group whose last process has just ended may stay busy for some milliseconds (EBUSY). */
const REMOVE_TRIES_MAX = 20;
const REMOVE_RETRY_MS = 10;

/** A file to write in a folder below a mounted hierarchy. Pure data: the tests of v2 compare it. */
export interface CgroupWrite {
  readonly folder: string;
  readonly file: string;
  readonly text: string;
}

type Layout =
  | { readonly version: 2; readonly root: string }
  | { readonly version: 1; readonly root: string; readonly controllers: readonly string[] };

const V1_CONTROLLERS = ['cpu', 'memory', 'pids'] as const;

/** How control groups are mounted: v2 where it carries the memory controller, else v1 by controller, else not at all. */
export function findLayout(root: string): Layout | null {
  const controllers = join(root, 'cgroup.controllers');
  if (existsSync(controllers) && readFileSync(controllers, 'utf8').split(/\s+/).includes('memory')) {
    return { version: 2, root };
  }
  const mounted = V1_CONTROLLERS.filter((controller) => existsSync(join(root, controller, 'cgroup.procs')));
  return mounted.length === 0 ? null : { version: 1, root, controllers: mounted };
}

/** The folders of one VM's group: one per v1 hierarchy. */
const foldersOf = (layout: Layout, name: string): string[] =>
  layout.version === 2
    ? [join(layout.root, name)]
    : layout.controllers.map((controller) => join(layout.root, controller, name));

/** What limits a group. Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/{memory,pids}.rst, scheduler/sched-bwc.rst. */
export function limitWrites(layout: Layout, name: string, limits: CgroupLimits): CgroupWrite[] {
  const quotaUs = limits.cpuCount * CPU_PERIOD_US;
  if (layout.version === 2) {
    const folder = join(layout.root, name);
    return [
      { folder, file: 'memory.max', text: `${limits.memoryBytes}` },
      { folder, file: 'cpu.max', text: `${quotaUs} ${CPU_PERIOD_US}` },
      { folder, file: 'pids.max', text: `${limits.taskCount}` },
    ];
  }
  const ofController: Record<string, CgroupWrite[]> = {
    cpu: [
      { folder: join(layout.root, 'cpu', name), file: 'cpu.cfs_period_us', text: `${CPU_PERIOD_US}` },
      { folder: join(layout.root, 'cpu', name), file: 'cpu.cfs_quota_us', text: `${quotaUs}` },
    ],
    memory: [
      { folder: join(layout.root, 'memory', name), file: 'memory.limit_in_bytes', text: `${limits.memoryBytes}` },
    ],
    pids: [{ folder: join(layout.root, 'pids', name), file: 'pids.max', text: `${limits.taskCount}` }],
  };
  return layout.controllers.flatMap((controller) => ofController[controller] ?? []);
}

/**
 * Control groups of this agent's VMs: `<root>/<parent>/<vmId>`, under v1 once per controller. A group lives from the launch
 * of a VM to the record of its end, as it holds the proof of an out-of-memory kill.
 */
export class Cgroups {
  readonly #layout: Layout;
  readonly #parent: string;

  private constructor(layout: Layout, parent: string) {
    this.#layout = layout;
    this.#parent = parent;
  }

  /** Null where this process may not make groups: not root, or the tree is mounted read-only, or not at all. */
  static open(root: string, parent: string): Cgroups | null {
    const layout = findLayout(root);
    if (layout === null) return null;
    try {
      for (const folder of foldersOf(layout, '.')) accessSync(folder, constants.W_OK);
    } catch {
      return null;
    }
    return new Cgroups(layout, parent);
  }

  get version(): 1 | 2 {
    return this.#layout.version;
  }

  /** A fresh group with its limits; one that an earlier run left is replaced, so that counters begin at 0. */
  async create(vmId: string, limits: CgroupLimits): Promise<void> {
    await this.remove(vmId);
    await this.#createParent();
    for (const folder of foldersOf(this.#layout, this.#nameOf(vmId))) await mkdir(folder);
    for (const { folder, file, text } of limitWrites(this.#layout, this.#nameOf(vmId), limits)) {
      await writeFile(join(folder, file), text);
    }
  }

  /** Other limits for a VM that runs. Nothing without a group. */
  async change(vmId: string, limits: CgroupLimits): Promise<void> {
    for (const { folder, file, text } of limitWrites(this.#layout, this.#nameOf(vmId), limits)) {
      if (existsSync(folder)) await writeFile(join(folder, file), text);
    }
  }

  /** Moves the process with all its threads. */
  async add(vmId: string, pid: number): Promise<void> {
    for (const folder of foldersOf(this.#layout, this.#nameOf(vmId))) {
      await writeFile(join(folder, 'cgroup.procs'), `${pid}`);
    }
  }

  /** How often the kernel has killed in the group for want of memory, its own or the host's; 0 without a group. */
  async readOomKillCount(vmId: string): Promise<number> {
    const [file, folder] =
      this.#layout.version === 2
        ? ['memory.events', join(this.#layout.root, this.#nameOf(vmId))]
        : ['memory.oom_control', join(this.#layout.root, 'memory', this.#nameOf(vmId))];
    const text = await readFile(join(folder, file), 'utf8').catch(() => '');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** No error if it is not there. A group in which something still runs stays (EBUSY after all tries). */
  async remove(vmId: string): Promise<void> {
    for (const folder of foldersOf(this.#layout, this.#nameOf(vmId))) await removeGroup(folder);
  }

  /** Groups in which nothing runs, of VMs that are not `owned`: nobody was there to see their end. Returns which. */
  async removeLeftovers(isOwned: (vmId: string) => boolean): Promise<string[]> {
    const removed = new Set<string>();
    const parents = foldersOf(this.#layout, this.#parent);
    for (const parent of parents) {
      const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (!entry.isDirectory() || isOwned(entry.name)) continue;
        const folder = join(parent, entry.name);
        const processes = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
        if (processes.trim() !== '') continue;
        await removeGroup(folder);
        removed.add(entry.name);
      }
      // Only when nothing is left in it.
      await rmdir(parent).catch(() => undefined);
    }
    return [...removed];
  }

  /** v2: children only get the controllers that each level above hands down. */
  async #createParent(): Promise<void> {
    for (const folder of foldersOf(this.#layout, this.#parent)) await mkdir(folder, { recursive: true });
    if (this.#layout.version === 1) return;
    for (const folder of [this.#layout.root, join(this.#layout.root, this.#parent)]) {
      await writeFile(join(folder, 'cgroup.subtree_control'), '+cpu +memory +pids');
    }
  }

  #nameOf(vmId: string): string {
    return join(this.#parent, vmId);
  }
}

async function removeGroup(folder: string): Promise<void> {
  for (let tries = 1; tries <= REMOVE_TRIES_MAX; tries += 1) {
    try {
      return await rmdir(folder);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EBUSY') return;
      await sleep(REMOVE_RETRY_MS);
    }
  }
}
