import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB, memoryOverheadBytes, VmHardware } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec, openQemuDriver, type RunningVm } from '../../src/index.js';
import { waitUntil } from '../contract/wait-until.js';
import { isolated, removeGroups } from './isolated.js';
import { buildGuestImage, openScratch } from './scratch.js';

const HUGE_PAGES = '/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages';
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: huge pages are set aside by root');

const scratch = openScratch();
const image = buildGuestImage(scratch.path);
const options = isolated(scratch.path);
const shared = openQemuDriver();
afterAll(async () => {
  scratch.remove();
  await removeGroups(options);
});
const MEMORY_BYTES = 64 * MIB;
const END_TIMEOUT_MS = 2_000;

async function start(memory: Partial<VmHardware['memory']>, driver = openQemuDriver(options)): Promise<Started> {
  const vmId = randomUUID();
  const spec: LaunchSpec = {
    vmId,
    name: 'web',
    runDir: join(scratch.path, vmId.slice(0, 8)),
    epoch: 1,
    vcpuCount: 2,
    memoryBytes: MEMORY_BYTES,
    accelerator: 'tcg',
    machineType: 'pc-q35-10.0',
    hardware: VmHardware.parse({ memory }),
    diskPath: join(scratch.path, vmId, 'root.qcow2'),
    firmware: { folder: join(scratch.path, 'firmware', vmId), generationId: vmId },
    placement: { ...ANYWHERE, memoryNodes: Array(memory.numaNodeCount ?? 1).fill(0) },
    isPaused: false,
  };
  await driver.ensureDisk({ path: spec.diskPath, sizeBytes: 8 * MIB, imagePath: image });
  return { vm: await driver.launch(spec), spec };
}
interface Started {
  readonly vm: RunningVm;
  readonly spec: LaunchSpec;
}

const kibOf = (pid: number, file: string, field: string): number =>
  [...readFileSync(`/proc/${pid}/${file}`, 'utf8').matchAll(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'gm'))].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
/** NUMA policy of each mapping, numa_maps of proc(5). */
const boundMappings = (pid: number): number =>
  (readFileSync(`/proc/${pid}/numa_maps`, 'utf8').match(/ bind:0 /g) ?? []).length;

describe('the memory of a VM', () => {
  it('of two nodes of the guest is bound to a node of the host, each by itself', async () => {
    const { vm } = await start({ numaNodeCount: 2, isPreallocated: true });
    expect(boundMappings(vm.pid)).toBe(2);
    expect((await vm.measureMemory())?.guestBytes).toBe(MEMORY_BYTES);
    await vm.end(END_TIMEOUT_MS);
  });

  it.skipIf(!isRoot)('that is locked cannot be swapped out', async () => {
    const { vm } = await start({ isLocked: true }, shared);
    expect((await vm.measureMemory())?.guestBytes).toBe(MEMORY_BYTES);
    expect(kibOf(vm.pid, 'status', 'VmLck') * 1024).toBeGreaterThanOrEqual(MEMORY_BYTES);
    await vm.end(END_TIMEOUT_MS);
  });

  it.skipIf(!isRoot)('that a VM with a user of its own is to lock: is locked, or the remedy is named', async () => {
    const started = await start({ isLocked: true }).catch((thrown: Error) => thrown);
    if (started instanceof Error) return expect(started.message).toContain('LimitMEMLOCK=infinity');
    expect(kibOf(started.vm.pid, 'status', 'VmLck') * 1024).toBeGreaterThanOrEqual(MEMORY_BYTES);
    await started.vm.end(END_TIMEOUT_MS);
  });

  it.skipIf(!isRoot)(
    'lies in huge pages where it is to, all of it from the start, and a VM without finds none',
    async () => {
      const before = readFileSync(HUGE_PAGES, 'utf8');
      try {
        writeFileSync(HUGE_PAGES, `${Number(before) + MEMORY_BYTES / (2 * MIB)}`);
        const { vm } = await start({ hugePageBytes: 2 * MIB, numaNodeCount: 2 });
        const hugeKib = kibOf(vm.pid, 'smaps', '(?:Private_Hugetlb|Shared_Hugetlb)');
        expect(hugeKib * 1024).toBe(MEMORY_BYTES);
        expect((await vm.measureMemory())?.guestBytes).toBe(MEMORY_BYTES);
        await expect(start({ hugePageBytes: 2 * MIB })).rejects.toMatchObject({ code: 'host_fault' });
        expect(await vm.queryPower()).toBe('running');
        await vm.end(END_TIMEOUT_MS);
      } finally {
        await waitUntil('the huge pages', () => {
          writeFileSync(HUGE_PAGES, before);
          return readFileSync(HUGE_PAGES, 'utf8') === before;
        });
      }
    },
  );

  it('is more than what the guest has by what was promised for the hypervisor at the most', async () => {
    const { vm, spec } = await start({});
    await waitUntil('the guest', () => readFileSync(join(spec.runDir, 'console.log'), 'utf8').includes('COUNT'));
    const use = await vm.measureMemory();
    expect(use?.overheadBytes).toBeGreaterThan(16 * MIB);
    expect(use?.overheadBytes).toBeLessThanOrEqual(memoryOverheadBytes(spec));
    await vm.end(END_TIMEOUT_MS);
  });
});
