import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ANYWHERE, type LaunchSpec, openQemuDriver, VM_UIDS } from '@kvorum/hypervisor-driver';
import { MIB, PLAIN_HARDWARE, VmFirmware } from '@kvorum/schema';
import { afterAll, expect, it } from 'vitest';
import {
  buildGuestImage,
  openScratch,
  pidsWithArgument,
  tpmPidsOf,
} from '../../packages/hypervisor-driver/test/qemu/scratch.js';

const LAUNCHER = fileURLToPath(new URL('dying-launcher.mjs', import.meta.url));
/** More accesses than a launch makes: the loop ends when a launch gets through. */
const STEPS_MAX = 100;
const END_TIMEOUT_MS = 2_000;

const scratch = openScratch();
const options = {
  vmUids: process.getuid?.() === 0 ? VM_UIDS : null,
  cgroupParent: `kvorum-test-${path.basename(scratch.path)}`,
};
afterAll(async () => {
  scratch.remove();
  await openQemuDriver(options).removeLeftovers(() => false);
});

it('an agent killed at any step of a launch leaves a VM that the next one finds, or none', {
  timeout: 300_000,
}, async () => {
  const image = buildGuestImage(scratch.path);
  const outcomes = new Set<string>();
  let isThrough = false;
  for (let dieAt = 1; dieAt <= STEPS_MAX && !isThrough; dieAt += 1) {
    const vmId = randomUUID();
    const spec: LaunchSpec = {
      vmId,
      name: 'web',
      runDir: path.join(scratch.path, vmId.slice(0, 8)),
      epoch: 1,
      vcpuCount: 1,
      memoryBytes: 64 * MIB,
      accelerator: 'tcg',
      machineType: 'pc-q35-10.0',
      hardware: { ...PLAIN_HARDWARE, firmware: VmFirmware.parse({ tpm: '2.0' }) },
      firmware: { folder: path.join(scratch.path, 'firmware', vmId), generationId: vmId },
      diskPath: path.join(scratch.path, `${vmId}.qcow2`),
      placement: ANYWHERE,
      isPaused: false,
    };
    const next = openQemuDriver(options);
    await next.ensureDisk({ path: spec.diskPath, sizeBytes: 8 * MIB, imagePath: image });
    const launcher = spawn(process.execPath, [LAUNCHER, JSON.stringify({ spec, options, dieAt })], { stdio: 'ignore' });
    const [code, signal] = (await once(launcher, 'exit')) as [number | null, string | null];
    expect([code, signal]).toEqual(code === null ? [null, 'SIGKILL'] : [0, null]);
    isThrough = code === 0;
    const vm = await next.adopt(vmId, spec.runDir);
    const pids = pidsWithArgument(vmId);
    expect([dieAt, pids]).toEqual([dieAt, vm === null ? [] : [vm.pid]]);
    // Its TPM is there with it, or not.
    expect([dieAt, tpmPidsOf(spec.runDir).length]).toEqual([dieAt, pids.length]);
    outcomes.add(vm === null ? 'none' : 'found');
    await vm?.end(END_TIMEOUT_MS);
    // Either way the same start can be tried again, and then it runs once.
    await next.sweep(vmId, spec.runDir);
    expect(tpmPidsOf(spec.runDir)).toEqual([]);
    if (dieAt % 8 === 0) {
      const again = await next.launch(spec);
      expect(pidsWithArgument(vmId)).toEqual([again.pid]);
      await again.end(END_TIMEOUT_MS);
      await again.exited;
    }
  }
  expect(isThrough).toBe(true);
  expect([...outcomes].sort()).toEqual(['found', 'none']);
});
