import { describe, expect, it } from 'vitest';
import type { VmSnapshot } from '../vm/vm-snapshot.js';
import { toVmReport } from './vm-report.js';

const snapshot = (detail: string): VmSnapshot => ({
  vmId: '01890000-0000-7000-8000-000000000001',
  epoch: 1,
  generation: 1,
  power: 'stopped',
  exit: { reason: 'crash', detail },
  accelerator: 'tcg',
  machineType: null,
  pid: null,
  conditions: [],
  placement: null,
  promisedOverheadBytes: 0,
});
const detailOf = (detail: string): string =>
  toVmReport(
    snapshot(detail),
    {
      guest: { agent: 'unknown', lastAnswerMs: null, balloonBytes: null, interfaces: null },
      balloon: { status: null, actualBytes: null, workingSetBytes: null },
      overheadBytes: null,
    },
    1,
  ).exitDetail;

describe('how a VM ended, in a report', () => {
  it('is told whole where it is short', () => {
    expect(detailOf('ended by SIGKILL\nconsole: last')).toBe('ended by SIGKILL\nconsole: last');
  });

  it('keeps its first line and its last ones where it is long', () => {
    const told = detailOf(`ended by SIGSEGV\n${'x'.repeat(5000)}\nconsole: Kernel panic`);
    expect(told).toHaveLength(512);
    expect(told).toMatch(/^ended by SIGSEGV\nx+\nconsole: Kernel panic$/);
  });
});
