import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, copyFileSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MIB, type NicId, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestImage } from '../../../../tests/support/guest-images.js';
import {
  ANYWHERE,
  CONSOLE_LOG_NAME,
  type FreezeSpec,
  type LaunchSpec,
  openQemuDriver,
  type RunningVm,
} from '../../src/index.js';
import { vmUid } from '../../src/isolation/vm-user.js';
import { withDevices } from '../contract/devices.contract.js';
import { seeInGuest } from '../contract/see-in-guest.js';
import { waitUntil } from '../contract/wait-until.js';
import { isolated, removeGroups } from './isolated.js';
import { buildGuestImage, openScratch, pidsWithArgument } from './scratch.js';

const LINUX_MEMORY_BYTES = 128 * MIB;
const DISK_BYTES = 64 * MIB;
const BOOT_MS_MAX = 90_000;
const PATTERN = 'what the golden guest knew';

/** The fork's view of `guid` as a guest's firmware lays it: the first three fields in little endian (UEFI 2.10, appendix A). */
function guidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

/** How often the bytes stand in the memory of a guest, which is the one mapping of the process with its size. */
function countInGuest(pid: number, memoryBytes: number, bytes: Buffer): number {
  const line = readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .find((each) => {
      const [from = '0', to = '0'] = each.split(' ', 1)[0]?.split('-') ?? [];
      return Number.parseInt(to, 16) - Number.parseInt(from, 16) === memoryBytes;
    });
  const start = Number.parseInt(line?.split('-', 1)[0] ?? '', 16);
  const memory = Buffer.alloc(memoryBytes);
  const file = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (let done = 0; done < memoryBytes; done += MIB) readSync(file, memory, done, MIB, start + done);
  } finally {
    closeSync(file);
  }
  let count = 0;
  for (let at = memory.indexOf(bytes); at >= 0; at = memory.indexOf(bytes, at + 1)) count += 1;
  return count;
}

const smapsOf = (pid: number, memoryBytes: number, field: string): number => {
  const parts = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/(?=^[0-9a-f]+-[0-9a-f]+ )/m);
  const guest = parts.find((part) => part.includes(`Size:${`${memoryBytes / 1024}`.padStart(19)} kB`)) ?? '';
  return Number(new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(guest)?.[1] ?? 'NaN') * 1024;
};

describe('a template of Linux under QEMU', () => {
  const { path: folder, remove } = openScratch();
  const driver = openQemuDriver(isolated(folder));
  const imagePath = `${folder}/tiny.qcow2`;
  const nic = (last: string) => ({ id: randomUUID() as NicId, slot: 1, macAddress: `52:54:00:00:00:${last}` });
  const specOf = (hardware: LaunchSpec['hardware']): LaunchSpec => {
    const vmId = randomUUID();
    return {
      ...{ vmId, name: 'web', runDir: join(folder, vmId.slice(0, 8)), epoch: 1, vcpuCount: 1, accelerator: 'tcg' },
      ...{ memoryBytes: LINUX_MEMORY_BYTES, machineType: 'pc-q35-10.0', placement: ANYWHERE, isPaused: false },
      diskPath: join(folder, 'disks', `${vmId}.qcow2`),
      firmware: { folder: join(folder, 'firmware', vmId), generationId: vmId },
      hardware,
    };
  };
  const consoleOf = ({ runDir }: LaunchSpec) => readFileSync(join(runDir, CONSOLE_LOG_NAME), 'utf8');
  const run = async (vm: RunningVm, script: string): Promise<string> => {
    await waitUntil('the guest agent', async () => (await vm.pingGuest(30_000)).isResponding, BOOT_MS_MAX);
    const id = await vm.guest.startCommand({ program: 'sh', args: ['-c', script], input: null }, 30_000);
    let text = '';
    await waitUntil('the answer', async () => {
      const status = await vm.guest.pollCommand(id, 30_000);
      text = Buffer.from(status.stdout).toString();
      return status.hasEnded;
    });
    return text.trim();
  };
  const golden = specOf(withDevices({ nics: [nic('01')] as never }));
  const templateId = randomUUID();
  const freeze: FreezeSpec = {
    templateId,
    folder: join(folder, 'templates', templateId),
    runDir: join(folder, templateId.slice(0, 8)),
    golden,
    goesOn: true,
  };
  let goldenVm: RunningVm;
  const fork = async (last: string): Promise<{ vm: RunningVm; spec: LaunchSpec }> => {
    const spec = specOf(withDevices({ nics: [nic(last)] as never }));
    const diskPath = join(freeze.folder, 'disk.qcow2');
    await driver.ensureDisk({ path: spec.diskPath, sizeBytes: DISK_BYTES, imagePath: diskPath, base: 'template' });
    return { vm: await driver.forkVm(spec, freeze.folder), spec };
  };

  beforeAll(async () => {
    copyFileSync((await guestImage('tiny')).path, imagePath);
    await driver.ensureDisk({ path: golden.diskPath, sizeBytes: DISK_BYTES, imagePath });
    goldenVm = await driver.launch(golden);
    await waitUntil('the guest', () => consoleOf(golden).includes('KVORUM-GUEST-UP'), BOOT_MS_MAX);
    await run(goldenVm, `echo '${PATTERN}' >/run/known; echo golden >/disk; sync; head -c 24M /dev/urandom | md5sum`);
    await driver.freezeTemplate(freeze);
  }, 2 * BOOT_MS_MAX);
  afterAll(async () => {
    remove();
    await removeGroups(isolated(folder));
  });

  it('gives the VM it was made of its network card back', async () => {
    expect(await goldenVm.queryPower()).toBe('running');
    await waitUntil('its card', async () => (await seeInGuest(goldenVm)).macAddresses.includes('52:54:00:00:00:01'));
    expect(await run(goldenVm, 'cat /run/known')).toBe(PATTERN);
  });

  it('gives each fork its memory, an own card, an own generation id, and a disk apart', async () => {
    const forks = [await fork('02'), await fork('03')];
    for (const [index, { vm, spec }] of forks.entries()) {
      expect(await run(vm, 'cat /run/known; cat /disk')).toBe(`${PATTERN}\ngolden`);
      await waitUntil('its card', async () => {
        const { macAddresses } = await seeInGuest(vm);
        return macAddresses.length === 1 && macAddresses[0] === `52:54:00:00:00:0${index + 2}`;
      });
      // In the guest's own memory, where its kernel looks: the id that was frozen is gone.
      expect(countInGuest(vm.pid, LINUX_MEMORY_BYTES, guidBytes(spec.firmware.generationId))).toBeGreaterThan(0);
      await run(vm, `echo fork-${index} >/disk; sync`);
    }
    expect(await Promise.all(forks.map(({ vm }) => run(vm, 'cat /disk')))).toEqual(['fork-0', 'fork-1']);
    expect(await run(goldenVm, 'cat /disk')).toBe('golden');
    for (const { vm, spec } of forks) await driver.sweep(vm.vmId, spec.runDir);
  });

  it('keeps the SMBIOS UUID of the VM it was made of until a fork is reset, and then has its own', async () => {
    const { vm, spec } = await fork('04');
    const uuid = () => run(vm, 'cat /sys/class/dmi/id/product_uuid');
    expect(await uuid()).toBe(golden.vmId);
    await vm.reset();
    await waitUntil('the guest', () => consoleOf(spec).includes('KVORUM-GUEST-UP'), BOOT_MS_MAX);
    expect(await uuid()).toBe(spec.vmId);
    await driver.sweep(vm.vmId, spec.runDir);
  });

  it('shares its memory with its forks until they change it', async () => {
    const forks = [await fork('05'), await fork('06'), await fork('07')];
    for (const { vm } of forks) await run(vm, 'true');
    for (const { vm } of forks) {
      const [rss, pss] = ['Rss', 'Pss'].map((field) => smapsOf(vm.pid, LINUX_MEMORY_BYTES, field)) as [number, number];
      expect(pss).toBeLessThan(rss);
      expect(smapsOf(vm.pid, LINUX_MEMORY_BYTES, 'Private_Dirty')).toBeLessThan(LINUX_MEMORY_BYTES / 2);
    }
    for (const { vm, spec } of forks) await driver.sweep(vm.vmId, spec.runDir);
  });

  it.runIf(process.getuid?.() === 0)(
    'lets nobody but root near its memory and state, nor write to its disk',
    async () => {
      const { vm, spec } = await fork('08');
      const uid = vmUid(spec.vmId, isolated(folder).vmUids as never);
      const as = (command: string) =>
        execFileSync(
          'setpriv',
          ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', 'sh', '-c', command],
          {
            stdio: 'pipe',
            cwd: '/',
          },
        );
      for (const name of ['memory', 'state']) {
        expect(() => as(`cat ${freeze.folder}/sealed/${name} >/dev/null`)).toThrow(/Permission denied/);
      }
      expect(() => as(`echo x >>${freeze.folder}/disk.qcow2`)).toThrow(/Permission denied/);
      expect(() => as(`mv ${freeze.folder}/disk.qcow2 ${freeze.folder}/other`)).toThrow(/Permission denied/);
      expect(statSync(join(freeze.folder, 'sealed')).uid).toBe(0);
      await driver.sweep(vm.vmId, spec.runDir);
    },
  );

  it('leaves no process, no run folder and no partial file', () => {
    expect(pidsWithArgument(freeze.runDir)).toEqual([]);
    expect(existsSync(freeze.runDir)).toBe(false);
    expect(readdirSync(join(folder, 'templates'))).toEqual([templateId]);
  });
});

describe('making a template that fails', () => {
  const { path: folder, remove } = openScratch();
  const driver = openQemuDriver(isolated(folder));
  afterAll(async () => {
    remove();
    await removeGroups(isolated(folder));
  });

  it('lets the VM go on when the process that takes its memory is killed', async () => {
    const imagePath = buildGuestImage(folder);
    const vmId = randomUUID();
    const golden: LaunchSpec = {
      ...{ vmId, name: 'web', runDir: join(folder, 'g'), epoch: 1, vcpuCount: 1, accelerator: 'tcg' },
      ...{ memoryBytes: 256 * MIB, machineType: 'pc-q35-10.0', placement: ANYWHERE, isPaused: false },
      diskPath: join(folder, 'disks', 'root.qcow2'),
      firmware: { folder: join(folder, 'firmware'), generationId: vmId },
      hardware: PLAIN_HARDWARE,
    };
    await driver.ensureDisk({ path: golden.diskPath, sizeBytes: 8 * MIB, imagePath });
    const vm = await driver.launch(golden);
    const templateId = randomUUID();
    const freeze = {
      templateId,
      folder: join(folder, 't', templateId),
      runDir: join(folder, 'm'),
      golden,
      goesOn: true,
    };
    const frozen = driver.freezeTemplate(freeze);
    frozen.catch(() => undefined);
    await waitUntil('the maker', () => pidsWithArgument(`${freeze.runDir}/`).length === 1);
    for (const pid of pidsWithArgument(`${freeze.runDir}/`)) process.kill(pid, 'SIGKILL');
    await expect(frozen).rejects.toMatchObject({ code: expect.stringMatching(/host_fault|guest_fault/) });
    expect(await vm.queryPower()).toBe('running');
    expect(readdirSync(join(folder, 't'))).toEqual([]);
    // And once more, with nobody in the way.
    await driver.freezeTemplate(freeze);
    expect(await vm.queryPower()).toBe('running');
  });
});
