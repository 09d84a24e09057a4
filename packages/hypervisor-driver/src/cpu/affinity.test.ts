import { spawn } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindThread, decodeCpuMask, encodeCpuMask, threadCpus } from './affinity.js';
import { CPU_INDEX_MAX, formatCpuList, parseCpuList } from './cpu-list.js';
import { pinningRefusal } from './pinning-refusal.js';

const cpuSet = fc.uniqueArray(fc.nat({ max: CPU_INDEX_MAX })).map((cpus) => cpus.sort((a, b) => a - b));

describe('CPU lists', () => {
  it.each<[string, number[]]>([
    ['0', [0]],
    ['0-3,8,10-11\n', [0, 1, 2, 3, 8, 10, 11]],
    ['2-2,1', [1, 2]],
    ['\n', []],
  ])('%j means %j', (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });

  it.each(['a', '1-', '-1', '3-1', '1,,2', '0-99999', '1 2', '8192', '0x1'])('%j is refused', (text) => {
    expect(() => parseCpuList(text)).toThrow('not a CPU list');
  });

  it('reads back what it wrote, for any set', () => {
    fc.assert(
      fc.property(cpuSet, (cpus) => {
        expect(parseCpuList(formatCpuList(cpus))).toEqual(cpus);
      }),
    );
  });
});

describe('CPU masks', () => {
  it('read back what was written, for any set', () => {
    fc.assert(
      fc.property(cpuSet, (cpus) => {
        expect(decodeCpuMask(encodeCpuMask(cpus))).toEqual(cpus);
      }),
    );
  });

  it.each([-1, 1.5, Number.NaN, CPU_INDEX_MAX + 1])('refuse CPU %d', (cpu) => {
    expect(() => encodeCpuMask([cpu])).toThrow('not within');
  });
});

describe('binding a thread', () => {
  it('of another process takes effect, as the kernel says', () => {
    const child = spawn('sleep', ['60']);
    try {
      const pid = child.pid as number;
      const [first] = threadCpus(pid);
      bindThread(pid, [first as number]);
      expect(threadCpus(pid)).toEqual([first]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('to a CPU this host has not is a fault of the host', () => {
    expect(() => bindThread(0, [CPU_INDEX_MAX])).toThrow('cannot run threads on CPU 8191');
  });

  it('partly to CPUs this host has not is refused as well, not silently cut', () => {
    const child = spawn('sleep', ['60']);
    try {
      const pid = child.pid as number;
      const [first] = threadCpus(pid);
      expect(() => bindThread(pid, [first as number, CPU_INDEX_MAX])).toThrow('not on');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('of a thread that is not there is a fault of the host', () => {
    expect(() => bindThread(4_194_304, [0])).toThrow('ESRCH');
  });
});

describe('pinning', () => {
  it.each<[number, number[], number[], boolean]>([
    [2, [], [], true],
    [2, [], [0, 1], true],
    [2, [0, 1], [2], true],
    [2, [0, 1], [], false],
    [2, [1], [0], false],
    [1, [0, 1], [2], false],
    [2, [1, 1], [0], false],
    [2, [1, 2], [0, 1], false],
    [1, [CPU_INDEX_MAX + 1], [0], false],
    [1, [0.5], [0], false],
  ])('of %d vCPUs to %j, other threads on %j, is possible: %s', (vcpuCount, vcpuCpus, otherCpus, isPossible) => {
    expect(pinningRefusal(vcpuCount, { vcpuCpus, otherCpus }) === null).toBe(isPossible);
  });
});
