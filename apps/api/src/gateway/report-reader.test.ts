import { HostReport, VmReport } from '@kvorum/schema/agent-wire';
import { describe, expect, it } from 'vitest';
import { ReportReader } from './report-reader.js';

const aReport = (reportGeneration: number): HostReport =>
  HostReport.create({
    reportGeneration,
    vms: [
      VmReport.create({
        vmId: `019a0000-0000-7000-8000-00000000000${reportGeneration % 10}`,
        reportGeneration,
      }),
    ],
  });

describe('the reader of reports', () => {
  it('hands them on in order, one at a time, melting those that come meanwhile into one', async () => {
    const handled: HostReport[] = [];
    let release: () => void = () => {};
    let runningCount = 0;
    const reader = new ReportReader(
      async (report) => {
        runningCount += 1;
        expect(runningCount).toBe(1);
        if (handled.length === 0) await new Promise<void>((resolve) => (release = resolve));
        handled.push(report);
        runningCount -= 1;
      },
      () => 0,
    );
    reader.take(aReport(1));
    const drained = reader.drain();
    for (const generation of [2, 3, 4]) {
      reader.take(aReport(generation));
      await reader.drain();
    }
    release();
    await drained;
    expect(handled.map((report) => [report.reportGeneration, report.vms.length])).toEqual([
      [1, 1],
      [4, 3],
    ]);
  });

  it('asks to be read more slowly after a burst, and forgives with time', () => {
    let nowMs = 0;
    const reader = new ReportReader(
      async () => {},
      () => nowMs,
    );
    const pauses = Array.from({ length: 250 }, () => reader.take(aReport(1)));
    expect(pauses.slice(0, 200)).toEqual(Array.from({ length: 200 }, () => 0));
    expect(pauses.slice(200)).toEqual(Array.from({ length: 50 }, (_, i) => (i + 1) * 20));
    nowMs = 60_000;
    expect(reader.take(aReport(1))).toBe(0);
  });

  it('goes on after a failure with what comes next', async () => {
    let isFailing = true;
    const handled: number[] = [];
    const reader = new ReportReader(
      async (report) => {
        if (isFailing) throw new Error('the database is away');
        handled.push(report.reportGeneration);
      },
      () => 0,
    );
    reader.take(aReport(1));
    await expect(reader.drain()).rejects.toThrow('the database is away');
    isFailing = false;
    reader.take(aReport(2));
    await reader.drain();
    expect(handled).toEqual([2]);
  });
});
