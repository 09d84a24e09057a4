import { HostFacts, HostReport, PoolReport, type VmReport } from '@kvorum/schema/agent-wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coalesceReports } from './coalesce-reports.js';

/** What a store knows after a report: the newest per VM, and after a full report nothing else. */
interface Known {
  readonly vms: ReadonlyMap<string, VmReport>;
  readonly kernel: string | undefined;
}
const stored = (before: Known, report: HostReport): Known => {
  const vms = new Map(report.isFull ? [] : before.vms);
  for (const vm of report.vms) {
    const known = before.vms.get(vm.vmId);
    const isOld = known !== undefined && known.reportGeneration > vm.reportGeneration;
    vms.set(vm.vmId, isOld ? known : vm);
  }
  return { vms, kernel: report.facts?.kernel ?? before.kernel };
};

const vmIds = ['a', 'b', 'c'];
/** One agent: its report generations only grow. */
const reportsOfOneAgent = fc
  .array(
    fc.record({
      isFull: fc.boolean(),
      vmIds: fc.uniqueArray(fc.constantFrom(...vmIds)),
      kernel: fc.option(fc.constantFrom('5', '6'), { nil: undefined }),
    }),
    { minLength: 2, maxLength: 8 },
  )
  .map((reports) =>
    reports.map(({ isFull, vmIds, kernel }, i) =>
      HostReport.create({
        reportGeneration: i + 1,
        isFull,
        vms: vmIds.map((vmId) => ({ vmId, reportGeneration: i + 1 })),
        ...(kernel === undefined ? {} : { facts: HostFacts.create({ kernel }) }),
      }),
    ),
  );

describe('coalescing reports', () => {
  it('keeps what was told of pools until it is told anew', () => {
    const pools = { pools: [PoolReport.create({ name: 'fast' })] };
    const told = HostReport.create({ reportGeneration: 1, pools });
    const silent = HostReport.create({ reportGeneration: 2 });
    expect(coalesceReports(told, silent).pools).toEqual(pools);
    expect(coalesceReports(told, { ...silent, pools: { pools: [] } }).pools).toEqual({ pools: [] });
  });

  it('leads to the same knowledge as storing one after the other', () => {
    fc.assert(
      fc.property(reportsOfOneAgent, (reports) => {
        const nothing: Known = { vms: new Map(), kernel: undefined };
        const oneByOne = reports.reduce(stored, nothing);
        const atOnce = stored(nothing, reports.reduce(coalesceReports));
        expect(atOnce).toEqual(oneByOne);
      }),
    );
  });

  it('keeps the highest report generation, which the receipt names', () => {
    const older = HostReport.create({ reportGeneration: 4, isFull: true });
    const newer = HostReport.create({ reportGeneration: 5, isFull: false });
    expect(coalesceReports(older, newer)).toMatchObject({ reportGeneration: 5, isFull: true });
  });
});
