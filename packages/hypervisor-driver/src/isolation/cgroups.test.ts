import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GIB, MIB, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cgroups, findLayout, limitWrites } from './cgroups.js';
import { limitsOf } from './vm-limits.js';

/** Folders that look like a mounted tree; the kernel's own is under test in test/qemu/isolation.test.ts, as far as v1 goes. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kv-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const mountV2 = () => writeFileSync(join(root, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
const mountV1 = (...controllers: string[]) => {
  for (const controller of controllers) {
    mkdirSync(join(root, controller));
    writeFileSync(join(root, controller, 'cgroup.procs'), '');
  }
};
const limits = limitsOf({ memoryBytes: GIB, vcpuCount: 2, accelerator: 'tcg', hardware: PLAIN_HARDWARE });
const file = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

describe('the tree of control groups', () => {
  it('is v2 where it carries the memory controller', () => {
    mountV2();
    expect(findLayout(root)).toEqual({ version: 2, root });
  });

  it('is v1 by controller, also beside a v2 tree without controllers', () => {
    mountV1('cpu', 'pids');
    writeFileSync(join(root, 'cgroup.controllers'), '\n');
    expect(findLayout(root)).toEqual({ version: 1, root, controllers: ['cpu', 'pids'] });
  });

  it('is none where nothing is mounted: VMs are not limited then', () => {
    expect(findLayout(root)).toBeNull();
    expect(Cgroups.open(root, 'kvorum-1')).toBeNull();
  });
});

describe('the limits of a VM', () => {
  it('are its promise and a bounded share for the hypervisor', () => {
    expect(limits).toEqual({ memoryBytes: GIB + 178 * MIB, cpuCount: 3, taskCount: 130 });
  });

  it('have room for a client of Ceph per disk that lies there', () => {
    const image = { pool: 'p', namespace: null, image: 'i', confPath: '/c', user: 'u', keyPath: '/k' };
    const vm = { memoryBytes: GIB, vcpuCount: 2, accelerator: 'tcg' as const, hardware: PLAIN_HARDWARE };
    const attachments = { disks: {}, images: { a: image, b: image }, media: {} };
    expect(limitsOf({ ...vm, rootImage: image, attachments })).toEqual({
      memoryBytes: limits.memoryBytes + 192 * MIB,
      cpuCount: 3,
      taskCount: 322,
    });
  });

  it('are these files under v2', () => {
    const folder = '/t/kvorum-1/vm';
    expect(limitWrites({ version: 2, root: '/t' }, 'kvorum-1/vm', limits)).toEqual([
      { folder, file: 'memory.max', text: `${limits.memoryBytes}` },
      { folder, file: 'cpu.max', text: '300000 100000' },
      { folder, file: 'pids.max', text: '130' },
    ]);
  });

  it('are these files under v1, of the controllers that are mounted', () => {
    expect(limitWrites({ version: 1, root: '/t', controllers: ['cpu', 'memory', 'pids'] }, 'k/vm', limits)).toEqual([
      { folder: '/t/cpu/k/vm', file: 'cpu.cfs_period_us', text: '100000' },
      { folder: '/t/cpu/k/vm', file: 'cpu.cfs_quota_us', text: '300000' },
      { folder: '/t/memory/k/vm', file: 'memory.limit_in_bytes', text: `${limits.memoryBytes}` },
      { folder: '/t/pids/k/vm', file: 'pids.max', text: '130' },
    ]);
    expect(limitWrites({ version: 1, root: '/t', controllers: ['pids'] }, 'k/vm', limits)).toHaveLength(1);
  });
});

describe('a group under v2', () => {
  it('is made below a parent that hands its controllers down, and takes the process', async () => {
    mountV2();
    const cgroups = Cgroups.open(root, 'kvorum-1');
    await cgroups?.create('vm', limits);
    await cgroups?.add('vm', 4711);
    expect(file('cgroup.subtree_control')).toBe('+cpu +memory +pids');
    expect(file('kvorum-1', 'cgroup.subtree_control')).toBe('+cpu +memory +pids');
    expect(file('kvorum-1', 'vm', 'memory.max')).toBe(`${limits.memoryBytes}`);
    expect(file('kvorum-1', 'vm', 'cgroup.procs')).toBe('4711');
  });

  it('counts out-of-memory kills', async () => {
    mountV2();
    const cgroups = Cgroups.open(root, 'kvorum-1');
    await cgroups?.create('vm', limits);
    expect(await cgroups?.readOomKillCount('vm')).toBe(0);
    writeFileSync(join(root, 'kvorum-1', 'vm', 'memory.events'), 'low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\n');
    expect(await cgroups?.readOomKillCount('vm')).toBe(2);
    expect(await cgroups?.readOomKillCount('another')).toBe(0);
  });
});
