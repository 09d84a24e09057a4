import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ANYWHERE, CONSOLE_LOG_NAME, type LaunchSpec, openQemuDriver, VM_UIDS } from '@kvorum/hypervisor-driver';
import { MIB, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterAll, expect, it } from 'vitest';
import { buildGuestImage, openScratch, pidsWithArgument } from '../../packages/hypervisor-driver/test/qemu/scratch.js';
import { eventually } from './eventually.js';

const FREEZER = fileURLToPath(new URL('dying-freezer.mjs', import.meta.url));
/** More than a freeze makes on a machine that is not busy; each seventh, as each takes a second or two. */
const STEPS_MAX = 400;
const STEP = 7;
const GOES_ON_MS_MAX = 30_000;

const scratch = openScratch();
const options = {
  vmUids: process.getuid?.() === 0 ? VM_UIDS : null,
  cgroupParent: `kvorum-test-${path.basename(scratch.path)}`,
};
afterAll(async () => {
  scratch.remove();
  await openQemuDriver(options).removeLeftovers(() => false);
});

it('an agent killed at any moment of making a template leaves a VM that the next one lets go on, and a whole template or none', {
  timeout: 600_000,
}, async () => {
  const vmId = randomUUID();
  const golden: LaunchSpec = {
    ...{ vmId, name: 'golden', runDir: path.join(scratch.path, 'g'), epoch: 1, vcpuCount: 1, memoryBytes: 64 * MIB },
    ...{
      accelerator: 'tcg',
      machineType: 'pc-q35-10.0',
      hardware: PLAIN_HARDWARE,
      placement: ANYWHERE,
      isPaused: false,
    },
    firmware: { folder: path.join(scratch.path, 'firmware'), generationId: vmId },
    diskPath: path.join(scratch.path, `${vmId}.qcow2`),
  };
  const counts = () => (readFileSync(path.join(golden.runDir, CONSOLE_LOG_NAME), 'utf8').match(/COUNT/g) ?? []).length;
  const first = openQemuDriver(options);
  await first.ensureDisk({ path: golden.diskPath, sizeBytes: 8 * MIB, imagePath: buildGuestImage(scratch.path) });
  const launched = await first.launch(golden);
  const { pid } = launched;
  await launched.release();
  const outcomes = new Set<string>();
  let isThrough = false;
  for (let dieAt = 1; dieAt <= STEPS_MAX && !isThrough; dieAt += STEP) {
    const templateId = randomUUID();
    const folder = path.join(scratch.path, 't', templateId);
    const freeze = { templateId, folder, runDir: path.join(scratch.path, 'm'), golden, goesOn: true };
    const freezer = spawn(process.execPath, [FREEZER, JSON.stringify({ freeze, options, dieAt })], { stdio: 'ignore' });
    const [code, signal] = (await once(freezer, 'exit')) as [number | null, string | null];
    expect([dieAt, code, signal]).toEqual([dieAt, ...(code === null ? [null, 'SIGKILL'] : [0, null])]);
    isThrough = code === 0;
    const next = openQemuDriver(options);
    const vm = await next.adopt(vmId, golden.runDir);
    expect([dieAt, vm?.pid]).toEqual([dieAt, pid]);
    await next.sweep(templateId, freeze.runDir);
    expect(pidsWithArgument(`${freeze.runDir}/`)).toEqual([]);
    await next.endFreeze(golden);
    const before = counts();
    await eventually(`the guest goes on (${dieAt})`, GOES_ON_MS_MAX, async () => {
      return (await vm?.queryPower()) === 'running' && counts() > before;
    });
    const facts = await next.readTemplate(folder);
    outcomes.add(facts === null ? 'none' : 'whole');
    if (facts === null) expect(existsSync(folder)).toBe(false);
    await next.removeTemplate(folder);
    expect(existsSync(`${folder}.partial`)).toBe(false);
    await vm?.release();
  }
  expect(isThrough).toBe(true);
  expect(outcomes).toContain('none');
});
