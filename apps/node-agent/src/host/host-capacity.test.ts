import { GIB, MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { capacityOf } from './host-capacity.js';

const NONE = { vcpuCount: undefined, memoryBytes: undefined, diskBytes: undefined };

describe('the capacity of a host', () => {
  it.each([
    ['a small host keeps 1 GiB', { hostCpuCount: 2, memoryBytes: 4 * GIB }, NONE, [8, 3 * GIB, 10 * GIB]],
    ['a large host keeps 5 %', { hostCpuCount: 64, memoryBytes: 100 * GIB }, NONE, [256, 95 * GIB, 10 * GIB]],
    ['a tiny host offers none', { hostCpuCount: 1, memoryBytes: GIB / 2 }, NONE, [4, 0, 10 * GIB]],
    [
      'flags limit it',
      { hostCpuCount: 2, memoryBytes: 4 * GIB },
      { vcpuCount: 3, memoryBytes: GIB, diskBytes: 5 * MIB },
      [3, GIB, 5 * MIB],
    ],
    [
      'flags never add to it',
      { hostCpuCount: 2, memoryBytes: 4 * GIB },
      { vcpuCount: 99, memoryBytes: 99 * GIB, diskBytes: 99 * GIB },
      [8, 3 * GIB, 10 * GIB],
    ],
  ] as const)('%s', (_name, facts, limits, [vcpuCount, memoryBytes, diskBytes]) => {
    expect(capacityOf(facts, 10 * GIB + 17, limits)).toEqual({ vcpuCount, memoryBytes, diskBytes });
  });
});
