import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { ANYWHERE, openQemuDriver, type VmPower } from '../../src/index.js';
import { waitUntil } from '../contract/wait-until.js';
import { buildGuestImage, openScratch } from './scratch.js';

const scratch = openScratch();
const small = join(scratch.path, 'small');
mkdirSync(small);
const isMounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0711', 'kvorum-test', small], { stdio: 'ignore' }).status ===
  0;
if (!isMounted) console.log('skipped: a small file system cannot be mounted here');
afterAll(async () => {
  if (isMounted) await waitUntil('unmounting', () => spawnSync('umount', [small], { stdio: 'ignore' }).status === 0);
  scratch.remove();
});

const ANSWER_TIMEOUT_MS = 5_000;

describe.skipIf(!isMounted)('a VM whose disk cannot grow', () => {
  it('stands still with the reason, answers, and loses nothing when it goes on', async () => {
    const vmId = randomUUID();
    const driver = openQemuDriver();
    const diskPath = join(small, 'root.qcow2');
    const imagePath = buildGuestImage(scratch.path, { isWriting: true });
    const runDir = join(scratch.path, 'vm');
    await driver.ensureDisk({ path: diskPath, sizeBytes: 1024 * MIB, imagePath });
    const heard: VmPower[] = [];
    const vm = await driver.launch({
      vmId,
      name: 'web',
      runDir,
      epoch: 1,
      vcpuCount: 1,
      memoryBytes: 64 * MIB,
      accelerator: 'tcg',
      machineType: 'pc-q35-10.0',
      hardware: PLAIN_HARDWARE,
      firmware: { folder: join(scratch.path, 'firmware'), generationId: vmId },
      diskPath,
      placement: ANYWHERE,
      isPaused: false,
    });
    vm.onPowerChange((power) => heard.push(power));
    await waitUntil('the pause', async () => (await vm.checkMonitor(ANSWER_TIMEOUT_MS)).power === 'paused');
    expect(await vm.checkMonitor(ANSWER_TIMEOUT_MS)).toEqual({
      power: 'paused',
      diskFault: { kind: 'full', detail: 'No space left on device' },
    });
    expect(heard).toEqual(['paused']);
    // SeaBIOS prints the end of its own last line when its next timer tick comes, which may be in the midst of one of the guest's.
    const printed = () => readFileSync(join(runDir, 'console.log'), 'utf8').replaceAll('.\r\n', '');
    const counts = () => printed().match(/COUNT [0-9a-f]{8}/g) ?? [];
    const before = counts().length;
    expect(spawnSync('mount', ['-o', 'remount,size=512m', small]).status).toBe(0);
    await vm.resume();
    await waitUntil('further writes', () => counts().length > before + 2);
    expect((await vm.checkMonitor(ANSWER_TIMEOUT_MS)).diskFault).toBeNull();
    await vm.end(ANSWER_TIMEOUT_MS);
    // None was left out: the write that failed was done again before the guest went on.
    expect(counts().map((line) => Number.parseInt(line.slice(-8), 16))).toEqual(counts().map((_, index) => index + 1));
  });
});
