import { DomainError } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CpuAllocator } from './cpu-allocator.js';

const node = (id: number, cpus: number[]) => ({ id, cpus, memoryBytes: 0, hugePages: {} });

describe('CPUs for pinned VMs', () => {
  it('come from the fullest NUMA node that holds them all', () => {
    const cpus = new CpuAllocator([node(0, [0, 1, 2, 3]), node(1, [4, 5])]);
    expect(cpus.claim('a', 2)).toEqual([4, 5]);
    expect(cpus.claim('b', 3)).toEqual([0, 1, 2]);
  });

  it('come from several nodes when none holds them all', () => {
    expect(new CpuAllocator([node(0, [0, 1]), node(1, [2, 3])]).claim('a', 3)).toEqual([0, 1, 2]);
  });

  it('are refused with numbers when too few are free, and nothing is taken', () => {
    const cpus = new CpuAllocator([node(0, [0, 1, 2])]);
    cpus.claim('a', 2);
    expect(() => cpus.claim('b', 2)).toThrow(
      expect.objectContaining({ code: 'no_capacity', details: { neededCpus: 2, freeCpus: 1 } }),
    );
    expect(cpus.claim('b', 1)).toEqual([2]);
  });

  it('are free again after their release, and kept by who claims anew', () => {
    const cpus = new CpuAllocator([node(0, [0, 1])]);
    expect(cpus.claim('a', 2)).toEqual([0, 1]);
    expect(cpus.claim('a', 2)).toEqual([0, 1]);
    cpus.release('a');
    expect(cpus.claim('b', 2)).toEqual([0, 1]);
  });

  it('never belong to two VMs', () => {
    const anyClaim = fc.record({ vm: fc.constantFrom('a', 'b', 'c'), count: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(fc.array(anyClaim), (claims) => {
        const allocator = new CpuAllocator([node(0, [0, 1, 2]), node(1, [3, 4, 5])]);
        const owned = new Map<string, number[]>();
        for (const { vm, count } of claims) {
          try {
            owned.set(vm, allocator.claim(vm, count));
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(DomainError);
          }
          const all = [...owned.values()].flat();
          expect(new Set(all).size).toBe(all.length);
        }
      }),
    );
  });
});
