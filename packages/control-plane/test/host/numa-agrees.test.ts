import { fleetOf, type HostRow, NO_AMOUNTS, type PlacementRequest, place } from '@kvorum/scheduler';
import { GIB, layoutRefusals, MIB, PLAIN_HARDWARE, type VmHardware, VmMemory } from '@kvorum/schema';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { HostTopology } from '../../../../apps/node-agent/src/cpu/host-topology.js';
import { nodeRooms } from '../../../../apps/node-agent/src/cpu/node-room.js';
import { type HostClaim, planPinning } from '../../../../apps/node-agent/src/cpu/plan-pinning.js';
import { requestOfVm } from '../../src/vm/request-of-vm.js';

/**
 * Two programs decide whether a VM fits into the nodes of a host: placement by the numbers that the agent reports, and the
 * agent by the CPUs themselves. Whatever VMs the host has, they must say the same.
 */
interface AskedVm {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly hardware: VmHardware;
}

const ASKED_VM: fc.Arbitrary<AskedVm> = fc
  .record({
    vcpuCount: fc.integer({ min: 1, max: 6 }),
    gib: fc.integer({ min: 1, max: 4 }),
    isDedicated: fc.boolean(),
    smt: fc.constantFrom('prefer', 'require', 'isolate'),
    numaNodeCount: fc.integer({ min: 1, max: 3 }),
    hugePageBytes: fc.constantFrom(null, null, 2 * MIB, GIB),
  })
  .map(({ vcpuCount, gib, isDedicated, smt, numaNodeCount, hugePageBytes }) => ({
    vcpuCount,
    memoryBytes: gib * GIB,
    hardware: {
      ...PLAIN_HARDWARE,
      cpuPolicy: { policy: isDedicated ? ('dedicated' as const) : ('shared' as const), smt },
      memory: VmMemory.parse({ numaNodeCount, hugePageBytes }),
    },
  }))
  .filter((vm) => layoutRefusals(vm).length === 0);

const TOPOLOGY: fc.Arbitrary<HostTopology> = fc
  .record({
    threads: fc.constantFrom(1, 2),
    nodes: fc.array(fc.record({ cores: fc.nat(5), gib: fc.integer({ min: 0, max: 8 }), pages: fc.nat(4) }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .map(({ threads, nodes }) => {
    let next = 0;
    const cores: number[][] = [];
    const laid = nodes.map(({ cores: coreCount, gib, pages }, id) => {
      const own = Array.from({ length: coreCount }, () => Array.from({ length: threads }, () => next++));
      cores.push(...own);
      const hugeBytes = { [2 * MIB]: pages * GIB, [GIB]: pages * GIB };
      return { id, cpus: own.flat(), memoryBytes: gib * GIB, hugeBytes };
    });
    return { nodes: laid, cores, distances: [], keptCpus: cores[0] ?? [] };
  });

/** So large in sum that its nodes alone can refuse. */
const AMPLE = { ...NO_AMOUNTS, vcpuCount: 1e6, memoryBytes: 1e15, diskBytes: 1e15 };
const hostOf = (topology: HostTopology, claims: readonly HostClaim[]): HostRow => ({
  hostId: 'a',
  name: 'host-a',
  state: 'active',
  connectivity: 'connected',
  accelerator: 'kvm',
  capacity: { ...AMPLE, dedicatedCpuCount: 1e6, hugePages2MibBytes: 1e15, hugePages1GibBytes: 1e15 },
  reserved: NO_AMOUNTS,
  threadsPerCore: topology.cores.some((core) => core.length > 1) ? 2 : 1,
  numaNodes: nodeRooms(topology, claims),
});

/** What lies in pages of whichever nodes have them: no node's numbers can tell. */
const isSpreadOverNodes = ({ memoryNodes, nodeBytes }: HostClaim): boolean =>
  memoryNodes.length === 0 && nodeBytes.length > 0;

it('placement and the agent say the same of a VM, whatever other VMs the host has', () => {
  fc.assert(
    fc.property(TOPOLOGY, fc.array(ASKED_VM, { minLength: 1, maxLength: 6 }), (topology, vms) => {
      const claims: HostClaim[] = [];
      for (const vm of vms) {
        const request: PlacementRequest = requestOfVm({ accelerator: 'kvm', hardware: vm.hardware }, vm, 0);
        const placement = place(request, fleetOf([hostOf(topology, claims)]));
        const plan = planPinning(topology, claims, vm);
        expect([placement.kind, plan.kind]).toEqual(
          plan.kind === 'planned' ? ['placed', 'planned'] : ['refused', 'refused'],
        );
        if (plan.kind === 'refused') continue;
        if (isSpreadOverNodes(plan.claim)) return;
        claims.push(plan.claim);
      }
    }),
    { numRuns: 2000 },
  );
});
