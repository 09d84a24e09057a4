import { GIB, MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { HostTopology } from '../cpu/host-topology.js';
import { capacityOf } from './host-capacity.js';

const NONE = { vcpuCount: undefined, memoryBytes: undefined, diskBytes: undefined, hostMemoryBytes: undefined };

const topologyWith = (hostCpuCount: number, hugeBytes: Record<number, number> = {}): HostTopology => {
  const cpus = Array.from({ length: hostCpuCount }, (_, cpu) => cpu);
  const nodes = [{ id: 0, cpus, memoryBytes: 0, hugeBytes }];
  return { nodes, cores: cpus.map((cpu) => [cpu]), distances: [], keptCpus: [0] };
};

describe('the capacity of a host', () => {
  it.each([
    ['a small host keeps 1 GiB', { hostCpuCount: 2, memoryBytes: 4 * GIB }, NONE, [8, 3 * GIB, 10 * GIB]],
    ['a large host keeps 5 %', { hostCpuCount: 64, memoryBytes: 100 * GIB }, NONE, [256, 95 * GIB, 10 * GIB]],
    ['a tiny host offers none', { hostCpuCount: 1, memoryBytes: GIB / 2 }, NONE, [4, 0, 10 * GIB]],
    [
      'an operator keeps more',
      { hostCpuCount: 2, memoryBytes: 4 * GIB },
      { ...NONE, hostMemoryBytes: 3 * GIB },
      [8, GIB, 10 * GIB],
    ],
    [
      'flags limit it',
      { hostCpuCount: 2, memoryBytes: 4 * GIB },
      { ...NONE, vcpuCount: 3, memoryBytes: GIB, diskBytes: 5 * MIB },
      [3, GIB, 5 * MIB],
    ],
    [
      'flags never add to it',
      { hostCpuCount: 2, memoryBytes: 4 * GIB },
      { ...NONE, vcpuCount: 99, memoryBytes: 99 * GIB, diskBytes: 99 * GIB },
      [8, 3 * GIB, 10 * GIB],
    ],
  ] as const)('%s', (_name, facts, limits, [vcpuCount, memoryBytes, diskBytes]) => {
    const topology = topologyWith(facts.hostCpuCount);
    expect(capacityOf(facts, topology, 10 * GIB + 17, limits)).toMatchObject({ vcpuCount, memoryBytes, diskBytes });
  });

  it('offers all CPUs but those it keeps, and huge pages instead of ordinary memory', () => {
    const topology = topologyWith(8, { [2 * MIB]: GIB, [GIB]: 4 * GIB });
    expect(capacityOf({ hostCpuCount: 8, memoryBytes: 16 * GIB }, topology, 0, NONE)).toMatchObject({
      memoryBytes: 10 * GIB,
      dedicatedCpuCount: 7,
      hugePages2MibBytes: GIB,
      hugePages1GibBytes: 4 * GIB,
      threadsPerCore: 1,
    });
  });
});
