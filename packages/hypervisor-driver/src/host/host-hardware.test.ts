import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HostHardware, KIB, MIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCpuList } from '../cpu/cpu-list.js';
import { parseCpuinfo } from './parse-cpuinfo.js';
import { parseCacheSize, parseCacheType, parseDistances, parseSwitch } from './parse-hardware.js';
import { readHardware } from './read-hardware.js';

const folder = mkdtempSync(join(tmpdir(), 'kvorum-sysfs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A sysfs with these files; null is a folder. */
function aSysfs(name: string, files: Readonly<Record<string, string | null>>): string {
  const root = join(folder, name);
  mkdirSync(root, { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    const path = join(root, file);
    mkdirSync(text === null ? path : dirname(path), { recursive: true });
    if (text !== null) writeFileSync(path, `${text}\n`);
  }
  return root;
}

const CPU = 'devices/system/cpu';
const core = (cpu: number, socket: number, id: number, siblings: string) => ({
  [`${CPU}/cpu${cpu}/topology/physical_package_id`]: `${socket}`,
  [`${CPU}/cpu${cpu}/topology/core_id`]: `${id}`,
  [`${CPU}/cpu${cpu}/topology/thread_siblings_list`]: siblings,
});
const cache = (cpu: number, index: number, level: number, type: string, size: string, shared: string) => ({
  [`${CPU}/cpu${cpu}/cache/index${index}/level`]: `${level}`,
  [`${CPU}/cpu${cpu}/cache/index${index}/type`]: type,
  [`${CPU}/cpu${cpu}/cache/index${index}/size`]: size,
  [`${CPU}/cpu${cpu}/cache/index${index}/shared_cpu_list`]: shared,
});

/** Two sockets of one core with two threads each, as Linux numbers them: siblings are half the CPUs apart. */
const INTEL_SYSFS = aSysfs('intel', {
  ...core(0, 0, 0, '0,2'),
  ...core(1, 1, 0, '1,3'),
  ...core(2, 0, 0, '0,2'),
  ...core(3, 1, 0, '1,3'),
  ...Object.assign(
    {},
    ...['0,2', '1,3', '0,2', '1,3'].map((shared, cpu) => ({
      ...cache(cpu, 0, 1, 'Data', '48K', shared),
      ...cache(cpu, 1, 1, 'Instruction', '32K', shared),
      ...cache(cpu, 3, 3, 'Unified', '48M', shared),
    })),
  ),
  [`${CPU}/cpufreq/x`]: '1',
  'module/kvm/parameters/halt_poll_ns': '200000',
  'module/kvm_intel/parameters/ept': 'Y',
  'module/kvm_intel/parameters/nested': 'N',
  'class/iommu/dmar1': null,
  'class/iommu/dmar0': null,
  'kernel/iommu_groups/0': null,
  'kernel/iommu_groups/1': null,
  'kernel/iommu_groups/2': null,
  'devices/system/node/node0/distance': '10 21',
  'devices/system/node/node1/distance': '21 10',
  'devices/system/node/possible': '0-1',
});
const INTEL_CPUINFO = `processor\t: 0
vendor_id\t: GenuineIntel
microcode\t: 0xd0003a5
flags\t\t: fpu vmx
vmx flags\t: ept vpid
`;

const AMD_SYSFS = aSysfs('amd', {
  ...core(0, 0, 0, '0'),
  'module/kvm_amd/parameters/npt': '1',
  'module/kvm_amd/parameters/nested': '1',
});
const AMD_CPUINFO = 'processor\t: 0\nvendor_id\t: AuthenticAMD\nmicrocode\t: 0xa0011d1\nflags\t\t: fpu svm npt\n';

const GUEST_CPUINFO = 'processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor\n';

describe('the hardware', () => {
  it('of an Intel host with two sockets and SMT', async () => {
    expect(await readHardware(parseCpuinfo(INTEL_CPUINFO), INTEL_SYSFS)).toEqual({
      virtualisation: {
        technology: 'vt-x',
        nestedPaging: 'ept',
        isNestedPagingOn: true,
        isNestingOn: false,
        modules: ['kvm_intel'],
        isGuest: false,
      },
      iommu: { units: ['dmar0', 'dmar1'], groupCount: 3 },
      microcode: '0xd0003a5',
      cores: [
        { socketId: 0, coreId: 0, cpus: '0,2' },
        { socketId: 1, coreId: 0, cpus: '1,3' },
      ],
      caches: [
        { level: 1, type: 'data', sizeBytes: 48 * KIB, sharedBy: ['0,2', '1,3'] },
        { level: 1, type: 'instruction', sizeBytes: 32 * KIB, sharedBy: ['0,2', '1,3'] },
        { level: 3, type: 'unified', sizeBytes: 48 * MIB, sharedBy: ['0,2', '1,3'] },
      ],
      numaDistances: [
        [10, 21],
        [21, 10],
      ],
    });
  });

  it('of an AMD host whose module speaks in 1 and 0', async () => {
    expect((await readHardware(parseCpuinfo(AMD_CPUINFO), AMD_SYSFS)).virtualisation).toEqual({
      technology: 'amd-v',
      nestedPaging: 'npt',
      isNestedPagingOn: true,
      isNestingOn: true,
      modules: ['kvm_amd'],
      isGuest: false,
    });
  });

  it('of a guest without flags, that hides nearly all', async () => {
    const sysfs = aSysfs('guest', { 'module/kvm_pvm/parameters/force': 'N' });
    expect(await readHardware(parseCpuinfo(GUEST_CPUINFO), sysfs)).toEqual({
      virtualisation: {
        technology: null,
        nestedPaging: null,
        isNestedPagingOn: null,
        isNestingOn: null,
        modules: ['kvm_pvm'],
        isGuest: true,
      },
      iommu: { units: [], groupCount: 0 },
      microcode: null,
      cores: [],
      caches: [],
      numaDistances: [],
    });
  });

  it('with flags and no module says the module is missing', async () => {
    const { virtualisation } = await readHardware(parseCpuinfo(INTEL_CPUINFO), aSysfs('bare', {}));
    expect(virtualisation).toMatchObject({ technology: 'vt-x', modules: [], isNestedPagingOn: null });
  });

  it.each<[string, Record<string, string>]>([
    ['with a row missing', { 'devices/system/node/node1/x': '1' }],
    ['with a row too short', { 'devices/system/node/node1/distance': '10' }],
    ['with a row of words', { 'devices/system/node/node1/distance': 'near far' }],
  ])('has no NUMA distances %s', async (name, files) => {
    const sysfs = aSysfs(name, { 'devices/system/node/node0/distance': '10 21', ...files });
    expect((await readHardware(parseCpuinfo(''), sysfs)).numaDistances).toEqual([]);
  });

  it('leaves out what cannot be read', async () => {
    const sysfs = aSysfs('odd', { ...core(0, 0, 0, '0'), ...cache(0, 0, 1, 'Data', '48K', '0') });
    mkdirSync(join(sysfs, `${CPU}/cpu0/cache/index1`));
    symlinkSync('/nonexistent', join(sysfs, `${CPU}/cpu0/cache/index1/level`));
    expect((await readHardware(parseCpuinfo(''), sysfs)).caches).toHaveLength(1);
  });

  it('of this machine has the shape of the contract and as many threads as it has CPUs online', async () => {
    const hardware = await readHardware(parseCpuinfo(INTEL_CPUINFO));
    expect(HostHardware.parse(hardware)).toEqual(hardware);
    expect(hardware.cores.flatMap((core) => parseCpuList(core.cpus))).toHaveLength(cpus().length);
  });
});

describe('parsers of sysfs', () => {
  it.each<[string, number | null]>([
    ['32K', 32 * KIB],
    ['8M', 8 * MIB],
    ['32', null],
    ['K', null],
    ['-1K', null],
    ['', null],
  ])('a cache of %j has %s bytes', (text, bytes) => {
    expect(parseCacheSize(text)).toBe(bytes);
  });

  it.each([
    ['Data', 'data'],
    ['Unified', 'unified'],
    ['Trace', null],
    ['toString', null],
  ])('a cache of type %j is %s', (text, type) => {
    expect(parseCacheType(text)).toBe(type);
  });

  it.each<[string | null, boolean | null]>([
    ['Y', true],
    ['1', true],
    ['N', false],
    ['0', false],
    ['2', null],
    [null, null],
  ])('a switch at %j is %s', (text, isOn) => {
    expect(parseSwitch(text)).toBe(isOn);
  });

  it.each([
    ['10', [10]],
    ['10 21 21', [10, 21, 21]],
    ['', null],
    ['10  21', null],
    ['10,21', null],
  ])('distances %j are %j', (text, distances) => {
    expect(parseDistances(text)).toEqual(distances);
  });
});
