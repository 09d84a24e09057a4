import { GIB, MIB, VmHardware, type VmSize } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostTopology } from './host-topology.js';
import { type HostClaim, NO_CLAIM, planPinning } from './plan-pinning.js';

/** Nodes of so many cores of so many threads; siblings as Linux numbers them: 0 and n, 1 and n + 1. */
function aHost(nodeCount: number, coresPerNode: number, threads: number, keptCpus: number[] = []): HostTopology {
  const coreCount = nodeCount * coresPerNode;
  const cores = Array.from({ length: coreCount }, (_, core) =>
    Array.from({ length: threads }, (_thread, thread) => core + thread * coreCount),
  );
  const nodes = Array.from({ length: nodeCount }, (_, id) => ({
    id,
    cpus: cores.slice(id * coresPerNode, (id + 1) * coresPerNode).flat(),
    memoryBytes: 16 * GIB,
    hugeBytes: { [2 * MIB]: 4 * GIB },
  }));
  return { nodes, cores, distances: [], keptCpus };
}

const aVm = (
  vcpuCount: number,
  cpuPolicy: Partial<VmHardware['cpuPolicy']> = { policy: 'dedicated' },
  memory: Partial<VmHardware['memory']> = {},
): VmSize => ({
  vcpuCount,
  memoryBytes: 2 * GIB,
  hardware: VmHardware.parse({ cpuPolicy: { policy: 'dedicated', ...cpuPolicy }, memory }),
});

const claimOf = (host: HostTopology, claims: HostClaim[], vm: VmSize): HostClaim => {
  const plan = planPinning(host, claims, vm);
  if (plan.kind === 'refused') throw new Error(plan.message);
  return plan.claim;
};

describe('CPUs of a VM', () => {
  it.each<[string, HostTopology, VmSize, Partial<HostClaim>]>([
    ['shared ones are nobody’s', aHost(1, 4, 1), aVm(2, { policy: 'shared' }), { vcpuCpus: [] }],
    ['one each', aHost(1, 4, 1), aVm(3), { vcpuCpus: [0, 1, 2] }],
    ['none that the host keeps', aHost(1, 4, 1, [0]), aVm(3), { vcpuCpus: [1, 2, 3] }],
    ['siblings together', aHost(1, 4, 2), aVm(4), { vcpuCpus: [0, 4, 1, 5], idleCpus: [] }],
    [
      'the other half of a core that is in use before a whole one',
      aHost(1, 4, 2, [0]),
      aVm(3),
      { vcpuCpus: [1, 5, 4] },
    ],
    [
      'whole cores only, and what is odd stays idle',
      aHost(1, 4, 2),
      aVm(3, { smt: 'require' }),
      { vcpuCpus: [0, 4, 1], idleCpus: [5] },
    ],
    ['a core each', aHost(1, 4, 2), aVm(2, { smt: 'isolate' }), { vcpuCpus: [0, 1], idleCpus: [4, 5] }],
    [
      'a core each, on a host without SMT',
      aHost(1, 4, 1),
      aVm(2, { smt: 'isolate' }),
      { vcpuCpus: [0, 1], idleCpus: [] },
    ],
    ['of one node, to which its memory is bound', aHost(2, 2, 1, [0]), aVm(2), { vcpuCpus: [2, 3], memoryNodes: [1] }],
    [
      'of several nodes where none holds them all: memory is not bound',
      aHost(2, 2, 1),
      aVm(3),
      { vcpuCpus: [0, 1, 2], memoryNodes: [] },
    ],
  ])('%s', (_what, host, vm, expected) => {
    expect(claimOf(host, [], vm)).toMatchObject(expected);
  });

  it.each<[string, HostTopology, VmSize, string]>([
    ['too few', aHost(1, 4, 1, [0, 1]), aVm(4), 'it needs 4 CPUs of its own, 2 are free'],
    ['no SMT', aHost(1, 4, 1), aVm(2, { smt: 'require' }), 'only whole cores with SMT count'],
    [
      'too few cores',
      aHost(1, 2, 2),
      aVm(3, { smt: 'isolate' }),
      'it needs 3 CPUs of its own, 4 are free; only whole cores count',
    ],
    ['too few in each node', aHost(2, 2, 1, [0]), aVm(4, {}, { numaNodeCount: 2 }), 'no way to lay 2 NUMA nodes'],
    [
      'too few huge pages',
      aHost(1, 4, 1),
      { ...aVm(1, { policy: 'shared' }, { hugePageBytes: 2 * MIB }), memoryBytes: 8 * GIB },
      'in huge pages, 4294967296 are free',
    ],
  ])('are refused with numbers: %s', (_what, host, vm, message) => {
    const plan = planPinning(host, [], vm);
    expect(plan).toMatchObject({ kind: 'refused', message: expect.stringContaining(message) });
  });
});

describe('NUMA nodes of a guest', () => {
  it('lie on nodes of the host, CPUs and memory together', () => {
    expect(claimOf(aHost(2, 2, 1), [], aVm(3, {}, { numaNodeCount: 2 }))).toEqual({
      ...NO_CLAIM,
      vcpuCpus: [0, 1, 2],
      memoryNodes: [0, 1],
      nodeBytes: [GIB, GIB],
    });
  });

  it('share a node of the host where it has only one', () => {
    const vm = aVm(2, { policy: 'shared' }, { numaNodeCount: 2 });
    expect(claimOf(aHost(1, 2, 1), [], vm)).toMatchObject({ vcpuCpus: [], memoryNodes: [0, 0] });
  });

  it('do not go where other VMs have bound the memory', () => {
    const other = { ...NO_CLAIM, memoryNodes: [0], nodeBytes: [15 * GIB] };
    const vm = aVm(2, { policy: 'shared' }, { numaNodeCount: 2 });
    expect(claimOf(aHost(2, 2, 1), [other], vm).memoryNodes).toEqual([1, 1]);
  });

  it('take huge pages of their node', () => {
    const other = { ...NO_CLAIM, memoryNodes: [0], nodeBytes: [3 * GIB], pageBytes: 2 * MIB };
    const vm = aVm(1, { policy: 'shared' }, { hugePageBytes: 2 * MIB });
    expect(claimOf(aHost(2, 2, 1), [other], vm)).toMatchObject({ memoryNodes: [1], pageBytes: 2 * MIB });
  });
});

describe('any VMs on any host', () => {
  const anyVm = fc.record({
    vcpuCount: fc.integer({ min: 1, max: 6 }),
    policy: fc.constantFrom('shared', 'dedicated', 'dedicated'),
    smt: fc.constantFrom('prefer', 'require', 'isolate'),
    numaNodeCount: fc.integer({ min: 1, max: 2 }),
    hugePageBytes: fc.constantFrom(null, 2 * MIB),
    leaves: fc.boolean(),
  });

  it('no CPU has two owners or is kept, each vCPU has one, siblings and nodes are as promised', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 2 }),
        fc.array(anyVm, { maxLength: 8 }),
        (nodeCount, coresPerNode, threads, wishes) => {
          const host = aHost(nodeCount, coresPerNode, threads, [0]);
          let claims: HostClaim[] = [];
          for (const wish of wishes) {
            const numaNodeCount = Math.min(wish.numaNodeCount, wish.vcpuCount);
            const smt = wish.policy === 'shared' ? ('prefer' as const) : wish.smt;
            const vm = aVm(
              wish.vcpuCount,
              { policy: wish.policy, smt },
              { numaNodeCount, hugePageBytes: wish.hugePageBytes },
            );
            const plan = planPinning(host, claims, vm);
            if (plan.kind === 'refused') continue;
            assertKept(host, vm, plan.claim);
            claims = [...claims, plan.claim];
            const owned = claims.flatMap((claim) => [...claim.vcpuCpus, ...claim.idleCpus]);
            expect(new Set(owned).size).toBe(owned.length);
            expect(owned).not.toContain(0);
            if (wish.leaves) claims = claims.slice(1);
          }
        },
      ),
    );
  });

  function assertKept(host: HostTopology, { vcpuCount, hardware }: VmSize, claim: HostClaim): void {
    const { policy, smt } = hardware.cpuPolicy;
    expect(claim.vcpuCpus).toHaveLength(policy === 'shared' ? 0 : vcpuCount);
    const coreOf = (cpu: number) => host.cores.find((core) => core.includes(cpu)) ?? [];
    for (const cpu of claim.vcpuCpus) {
      const siblings = coreOf(cpu).filter((sibling) => sibling !== cpu);
      if (smt === 'isolate') expect(claim.idleCpus).toEqual(expect.arrayContaining(siblings));
      if (smt === 'require') {
        expect(siblings.length).toBeGreaterThan(0);
        expect([...claim.vcpuCpus, ...claim.idleCpus]).toEqual(expect.arrayContaining(siblings));
      }
    }
    const { numaNodeCount } = hardware.memory;
    if (numaNodeCount < 2) return;
    expect(claim.memoryNodes).toHaveLength(numaNodeCount);
    let first = 0;
    for (const [index, nodeId] of claim.memoryNodes.entries()) {
      const share = Math.floor(vcpuCount / numaNodeCount) + (index < vcpuCount % numaNodeCount ? 1 : 0);
      const cpus = host.nodes.find((node) => node.id === nodeId)?.cpus ?? [];
      for (const cpu of claim.vcpuCpus.slice(first, first + share)) expect(cpus).toContain(cpu);
      first += share;
    }
  }
});
