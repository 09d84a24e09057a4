import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HostFacts, KIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { HostObserver } from './observe-host.js';
import { parseCpuinfo } from './parse-cpuinfo.js';
import { parseCount, parseHugePageSize } from './parse-huge-pages.js';
import { parseMachineTypes } from './parse-machine-types.js';
import { parseMemoryTotal } from './parse-meminfo.js';
import { parseQemuVersion, qemuMajor } from './parse-qemu-version.js';
import { readNumaNodes } from './read-numa-nodes.js';

const XEON = `processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz
microcode\t: 0xd0003a5
flags\t\t: fpu vme vmx est constant_tsc nonstop_tsc x2apic
vmx flags\t: vnmi preemption_timer posted_intr ept vpid ept_ad
bugs\t\t:

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz
flags\t\t: fpu vme vmx
`;
const GUEST = 'processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu hypervisor svmx\n';

describe('cpuinfo', () => {
  it('gives vendor, model, CPUs and the flags about virtualisation', () => {
    expect(parseCpuinfo(XEON)).toEqual({
      vendor: 'GenuineIntel',
      model: 'Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz',
      cpuCount: 2,
      flags: ['vmx', 'ept', 'ept_ad', 'vpid', 'vnmi', 'x2apic', 'constant_tsc', 'nonstop_tsc'],
      microcode: '0xd0003a5',
    });
  });

  it('takes no flag for another that contains its name', () => {
    expect(parseCpuinfo(GUEST).flags).toEqual(['hypervisor']);
  });

  it('of nothing is unknown, not an error', () => {
    expect(parseCpuinfo('')).toEqual({ vendor: 'unknown', model: 'unknown', cpuCount: 0, flags: [], microcode: null });
  });
});

describe('other parsers', () => {
  it.each([
    ['MemTotal:       25276510 kB\nMemFree: 1 kB\n', 25276510 * KIB],
    ['\nNode 1 MemTotal:       1024 kB\nNode 1 MemFree: 1 kB\n', 1024 * KIB],
  ])('memory of %j is %d', (text, bytes) => {
    expect(parseMemoryTotal(text)).toBe(bytes);
  });

  it('memory that is not there is a fault of the host', () => {
    expect(() => parseMemoryTotal('MemFree: 1 kB')).toThrow('MemTotal');
  });

  it.each<[string, string | null]>([
    ['hugepages-2048kB', '2048'],
    ['hugepages-1048576kB', '1048576'],
    ['hugepages-', null],
    ['other', null],
  ])('page size of %s is %s', (name, size) => {
    expect(parseHugePageSize(name)).toBe(size);
  });

  it.each<[string, number | null]>([
    ['12\n', 12],
    ['', null],
    ['-1', null],
    ['many', null],
  ])('count %j is %s', (text, count) => {
    expect(parseCount(text)).toBe(count);
  });

  it.each<[string, string | null]>([
    ['QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright', '10.0.2'],
    ['QEMU emulator version 7.2\n', '7.2'],
    ['qemu-img version 10.0.2', null],
    ['', null],
  ])('version of %j is %s', (text, version) => {
    expect(parseQemuVersion(text)).toBe(version);
  });

  it.each<[string, string | null]>([
    ['pc-q35-9.2  Standard PC\nq35     Standard PC (Q35 + ICH9, 2009) (alias of pc-q35-10.0)\n', 'pc-q35-10.0'],
    ['q35  Standard PC (alias of pc-q35-2.12.1)\n', 'pc-q35-2.12.1'],
    ['q35  Standard PC (alias of virt)\n', null],
    ['pc   Standard PC (alias of pc-i440fx-10.0)\n', null],
    ['', null],
  ])('machine type of %j is %s', (text, machineType) => {
    expect(parseMachineTypes(text).newest).toBe(machineType);
  });

  it('lists the versioned machine types of q35, newest first, and nothing else', () => {
    const lines = [
      'Supported machines are:',
      'microvm  x',
      'pc-q35-4.0  a',
      'pc-q35-10.0  a',
      'pc-q35-4.0.1  a',
      'q35  a',
    ];
    const help = [...lines, 'pc-i440fx-9.2 a', 'pc-q35-9.2  a', 'pc-q35-9.2,x=y a'].join('\n');
    expect(parseMachineTypes(help).all).toEqual(['pc-q35-10.0', 'pc-q35-9.2', 'pc-q35-4.0.1', 'pc-q35-4.0']);
  });

  it('compares majors as numbers', () => {
    expect(qemuMajor('10.0.2')).toBe(10);
    expect(qemuMajor('9.2.0')).toBe(9);
  });
});

describe('NUMA nodes', () => {
  const folder = mkdtempSync('/tmp/kv-');
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  };

  it('are read ascending, with CPUs, memory and huge pages per size', async () => {
    for (const id of [10, 2]) {
      write(`node${id}/cpulist`, `${id}-${id + 1}\n`);
      write(`node${id}/meminfo`, `Node ${id} MemTotal:       ${id} kB\n`);
    }
    write('node2/hugepages/hugepages-2048kB/nr_hugepages', '512\n');
    write('node2/hugepages/hugepages-1048576kB/nr_hugepages', '4\n');
    write('possible', '0-10\n');
    expect(await readNumaNodes(folder)).toEqual([
      { id: 2, cpus: [2, 3], memoryBytes: 2 * KIB, hugePages: { 2048: 512, 1048576: 4 } },
      { id: 10, cpus: [10, 11], memoryBytes: 10 * KIB, hugePages: {} },
    ]);
  });

  it('are none on a kernel without NUMA', async () => {
    expect(await readNumaNodes(join(folder, 'absent'))).toEqual([]);
  });
});

describe('this host', () => {
  it('has facts of the contract’s shape, with and without QEMU', async () => {
    const facts = await new HostObserver('/nonexistent/qemu').observe();
    expect(HostFacts.parse(facts)).toEqual(facts);
    expect([facts.qemuVersion, facts.qemuMachineType]).toEqual([null, null]);
  });
});
