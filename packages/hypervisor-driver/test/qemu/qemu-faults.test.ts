import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec, openQemuDriver, type QemuOptions, type RunningVm } from '../../src/index.js';
import { identityOf } from '../../src/process/process-identity.js';
import { CONSOLE_KEPT_BYTES, trimConsole } from '../../src/qemu/trim-console.js';
import { waitUntil } from '../contract/wait-until.js';
import { buildGuestImage, openScratch, pidsWithArgument } from './scratch.js';

const scratch = openScratch();
const image = buildGuestImage(scratch.path);
const helpers: ChildProcess[] = [];
afterAll(() => {
  for (const helper of helpers) helper.kill('SIGKILL');
  scratch.remove();
});

const SHORT_MS = 300;
const END_TIMEOUT_MS = 500;
const ANSWER_TIMEOUT_MS = 10_000;
const DISK_BYTES = 8 * MIB;

interface Started {
  readonly vm: RunningVm;
  readonly spec: LaunchSpec;
}

async function prepare(changes: Partial<LaunchSpec> = {}, imagePath = image): Promise<LaunchSpec> {
  const vmId = randomUUID();
  const spec: LaunchSpec = {
    vmId,
    name: 'web',
    runDir: join(scratch.path, vmId.slice(0, 8)),
    epoch: 1,
    vcpuCount: 1,
    memoryBytes: 64 * MIB,
    accelerator: 'tcg',
    diskPath: join(scratch.path, `${vmId}.qcow2`),
    machineType: 'pc-q35-10.0',
    hardware: PLAIN_HARDWARE,
    firmware: { folder: join(scratch.path, 'firmware', vmId), generationId: vmId },
    placement: ANYWHERE,
    isPaused: false,
    ...changes,
  };
  await openQemuDriver().ensureDisk({ path: spec.diskPath, sizeBytes: DISK_BYTES, imagePath });
  return spec;
}

async function start(options: Partial<QemuOptions> = {}, imagePath = image): Promise<Started> {
  const spec = await prepare({}, imagePath);
  return { vm: await openQemuDriver(options).launch(spec), spec };
}

const consoleOf = (spec: LaunchSpec): string => readFileSync(join(spec.runDir, 'console.log'), 'utf8');
const recordOf = (spec: LaunchSpec): string => join(spec.runDir, 'process.json');
const isAlive = (pid: number): boolean => identityOf(pid) !== null;

describe('a QEMU process', () => {
  it('has the machine type asked for, also an older one', async () => {
    const vm = await openQemuDriver().launch(await prepare({ machineType: 'pc-q35-9.2' }));
    const args = readFileSync(`/proc/${vm.pid}/cmdline`, 'utf8').split('\0');
    expect(args[args.indexOf('-machine') + 1]).toMatch(/^pc-q35-9\.2,/);
    expect(await vm.queryPower()).toBe('running');
    await vm.end(END_TIMEOUT_MS);
  });

  it('is a session of its own, so that no signal to the agent reaches it', async () => {
    const { vm, spec } = await start();
    const [, , group, session] = readFileSync(`/proc/${vm.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    expect({ group, session }).toEqual({ group: `${vm.pid}`, session: `${vm.pid}` });
    await openQemuDriver().sweep(spec.vmId, spec.runDir);
  });

  it('runs under its system call filter in every thread', async () => {
    const { vm, spec } = await start();
    const modes = readdirSync(`/proc/${vm.pid}/task`).map(
      (task) => /^Seccomp:\s+(\d)$/m.exec(readFileSync(`/proc/${vm.pid}/task/${task}/status`, 'utf8'))?.[1],
    );
    // 2: SECCOMP_MODE_FILTER (linux/seccomp.h)
    expect(new Set(modes)).toEqual(new Set(['2']));
    await vm.end(END_TIMEOUT_MS);
    expect(spec.vmId).toBe(vm.vmId);
  });

  it('goes on with its console log where that ends, also when its older part is given back beneath it', async () => {
    const spec = await prepare();
    mkdirSync(spec.runDir);
    const path = join(spec.runDir, 'console.log');
    const earlierBytes = CONSOLE_KEPT_BYTES + 4 * MIB;
    writeFileSync(path, Buffer.alloc(earlierBytes, 'x'));
    const vm = await openQemuDriver().launch(spec);
    const printed = () => readFileSync(path).subarray(earlierBytes).toString();
    await waitUntil('the guest', () => printed().includes('COUNT'));
    await trimConsole(path);
    const before = printed();
    await waitUntil('more', () => printed().length > before.length);
    expect(printed().startsWith(before)).toBe(true);
    expect(statSync(path).blocks * 512).toBeLessThan(CONSOLE_KEPT_BYTES + 2 * MIB);
    await vm.end(END_TIMEOUT_MS);
  });

  it('takes paths with commas, quotes, spaces and percent signs as they are', async () => {
    const runDir = join(scratch.path, 'a,b=c "%s');
    const spec = await prepare({ runDir, diskPath: join(scratch.path, 'disk,id="x" %n.qcow2') });
    const vm = await openQemuDriver().launch(spec);
    await waitUntil('the guest', () => consoleOf(spec).includes('COUNT'));
    await vm.release();
    const adopted = await openQemuDriver().adopt(spec.vmId, runDir);
    expect(adopted?.pid).toBe(vm.pid);
    await adopted?.end(END_TIMEOUT_MS);
  });
});

describe('a hanging QEMU', () => {
  it('is a passed time limit, and answers again when it goes on', async () => {
    const { vm, spec } = await start({ commandTimeoutMs: SHORT_MS });
    process.kill(vm.pid, 'SIGSTOP');
    await expect(vm.queryPower()).rejects.toMatchObject({ code: 'deadline_exceeded' });
    process.kill(vm.pid, 'SIGCONT');
    await waitUntil('an answer', async () => (await vm.queryPower().catch(() => null)) === 'running');
    await openQemuDriver().sweep(spec.vmId, spec.runDir);
  });

  it('is ended by SIGKILL when it does not end in time', async () => {
    const { vm } = await start();
    process.kill(vm.pid, 'SIGSTOP');
    await vm.end(SHORT_MS);
    expect(await vm.exited).toMatchObject({ reason: 'requested', detail: expect.stringContaining('SIGKILL') });
    expect(isAlive(vm.pid)).toBe(false);
  });

  it('is adopted as it is and ended only on request', async () => {
    const { vm, spec } = await start();
    await vm.release();
    process.kill(vm.pid, 'SIGSTOP');
    const adopted = await openQemuDriver({ adoptTimeoutMs: SHORT_MS }).adopt(spec.vmId, spec.runDir);
    expect(adopted?.pid).toBe(vm.pid);
    await expect(adopted?.pause()).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(isAlive(vm.pid)).toBe(true);
    await adopted?.end(SHORT_MS);
    expect(isAlive(vm.pid)).toBe(false);
  });

  it('greets an agent that came while it hung, and tells it of pauses from then on', async () => {
    const { vm, spec } = await start();
    await vm.release();
    process.kill(vm.pid, 'SIGSTOP');
    const adopted = await openQemuDriver({ adoptTimeoutMs: SHORT_MS }).adopt(spec.vmId, spec.runDir);
    if (adopted === null) throw new Error('the VM was not found');
    process.kill(vm.pid, 'SIGCONT');
    expect(await adopted.checkMonitor(END_TIMEOUT_MS * 10)).toEqual({ power: 'running', diskFault: null });
    await adopted.end(END_TIMEOUT_MS);
  });
});

describe('a monitor', () => {
  it('whose socket was removed is told at the next sign of life, while the connection goes on', async () => {
    const { vm, spec } = await start();
    const heard: string[] = [];
    vm.onDeviceEvent(({ kind }) => heard.push(kind));
    await vm.checkMonitor(ANSWER_TIMEOUT_MS);
    expect(heard).toEqual([]);
    rmSync(join(spec.runDir, 'io', 'qmp.sock'));
    for (const _ of [1, 2]) expect(await vm.checkMonitor(ANSWER_TIMEOUT_MS)).toMatchObject({ power: 'running' });
    expect(heard).toEqual(['monitor-socket-lost']);
    await vm.end(END_TIMEOUT_MS);
    expect(isAlive(vm.pid)).toBe(false);
  });

  it('whose socket was removed goes on over the open connection; a later agent says that there is no way in', async () => {
    const { vm, spec } = await start();
    rmSync(join(spec.runDir, 'io', 'qmp.sock'));
    expect(await vm.queryPower()).toBe('running');
    await vm.release();
    const adopted = await openQemuDriver({ adoptTimeoutMs: SHORT_MS }).adopt(spec.vmId, spec.runDir);
    await expect(adopted?.checkMonitor(SHORT_MS)).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining('was removed'),
    });
    expect(isAlive(vm.pid)).toBe(true);
    await adopted?.end(SHORT_MS);
    expect(isAlive(vm.pid)).toBe(false);
  });
});

describe('the record of a run', () => {
  it.each([
    ['of another process, although pid and start time agree', (pid: number) => identityOf(pid)],
    ['of a pid that was given to another process', (pid: number) => ({ ...identityOf(pid), startTime: '1' })],
    ['of an earlier boot', (pid: number) => ({ ...identityOf(pid), bootId: randomUUID() })],
  ])('%s harms nobody', async (_what, identify) => {
    const { vm, spec } = await start();
    await vm.end(END_TIMEOUT_MS);
    const bystander = spawn('sleep', ['600']);
    helpers.push(bystander);
    const pid = bystander.pid as number;
    const record = { ...JSON.parse(readFileSync(recordOf(spec), 'utf8')), process: identify(pid), exit: null };
    writeFileSync(recordOf(spec), JSON.stringify(record));
    const driver = openQemuDriver();
    expect(await driver.adopt(spec.vmId, spec.runDir)).toBeNull();
    await driver.sweep(spec.vmId, spec.runDir);
    expect(isAlive(pid)).toBe(true);
  });

  it.each([
    ['missing', (spec: LaunchSpec) => rmSync(recordOf(spec))],
    ['damaged', (spec: LaunchSpec) => writeFileSync(recordOf(spec), '{"phase":"running","vmId":')],
    ['of wrong types', (spec: LaunchSpec) => writeFileSync(recordOf(spec), '{"phase":"running","process":[1]}')],
    [
      'of a launch that was never confirmed',
      (spec: LaunchSpec) => {
        const record = JSON.parse(readFileSync(recordOf(spec), 'utf8'));
        writeFileSync(recordOf(spec), JSON.stringify({ ...record, phase: 'launching', process: null }));
      },
    ],
  ])('%s: what runs in the folder is found by its arguments and ended', async (_what, damage) => {
    const { vm, spec } = await start();
    await vm.release();
    damage(spec);
    const driver = openQemuDriver();
    await expect(driver.launch(spec)).rejects.toMatchObject({ code: 'conflict_state' });
    expect(isAlive(vm.pid)).toBe(true);
    expect(await driver.adopt(spec.vmId, spec.runDir)).toBeNull();
    expect(isAlive(vm.pid)).toBe(false);
  });

  it('of another VM in the folder: it is not taken over, but ended', async () => {
    const { vm, spec } = await start();
    await vm.release();
    expect(await openQemuDriver().adopt(randomUUID(), spec.runDir)).toBeNull();
    expect(isAlive(vm.pid)).toBe(false);
  });

  it('tells that a guest shut itself down while no agent listened', async () => {
    const { vm, spec } = await start({}, buildGuestImage(scratch.path, { powerOffAfter: 6 }));
    await vm.release();
    const driver = openQemuDriver();
    await waitUntil('the end', async () => (await driver.readExit(spec.vmId, spec.runDir)) !== null);
    expect(await driver.readExit(spec.vmId, spec.runDir)).toMatchObject({
      epoch: 1,
      exit: { reason: 'guest-shutdown' },
    });
  });
});

describe('a launch that fails', () => {
  const leftovers = (spec: LaunchSpec): string[] => (existsSync(spec.runDir) ? readdirSync(spec.runDir) : []);

  it.each<[string, string, string]>([
    ['a program that is not there', '/nonexistent/qemu', 'ENOENT'],
    ['a program that ends at once', '/bin/false', 'code 1'],
  ])('because of %s leaves nothing', async (_what, qemuPath, words) => {
    const spec = await prepare();
    const failure = openQemuDriver({ qemuPath }).launch(spec);
    await expect(failure).rejects.toMatchObject({ code: 'host_fault', message: expect.stringContaining(words) });
    expect(leftovers(spec)).toEqual([]);
  });

  it('because no monitor appears in time leaves no process', async () => {
    const program = join(scratch.path, 'silent');
    writeFileSync(program, '#!/bin/sh\nwhile :; do sleep 0.1; done\n');
    chmodSync(program, 0o700);
    const spec = await prepare();
    const failure = openQemuDriver({ qemuPath: program, launchTimeoutMs: SHORT_MS }).launch(spec);
    await expect(failure).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(leftovers(spec)).toEqual([]);
  });

  it('because the disk is in use says so in QEMU’s words, and the other VM goes on', async () => {
    const { vm, spec } = await start();
    const second = { ...spec, vmId: randomUUID(), runDir: `${spec.runDir}-2` };
    await expect(openQemuDriver().launch(second)).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining('lock'),
    });
    expect(pidsWithArgument(second.vmId)).toEqual([]);
    expect(await vm.queryPower()).toBe('running');
    await vm.end(END_TIMEOUT_MS);
  });

  it('because a CPU to pin to is not there leaves no process', async () => {
    const spec = await prepare({ placement: { ...ANYWHERE, vcpuCpus: [8000], otherCpus: [0] } });
    await expect(openQemuDriver().launch(spec)).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining('8000'),
    });
    expect(pidsWithArgument(spec.vmId)).toEqual([]);
  });

  it('because this QEMU has not the machine type says so, and leaves no process', async () => {
    const spec = await prepare({ machineType: 'pc-q35-99.0' });
    await expect(openQemuDriver().launch(spec)).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining('pc-q35-99.0'),
    });
    expect(leftovers(spec)).toEqual([]);
  });

  it('because the run folder cannot be made is a fault of the host', async () => {
    mkdirSync(join(scratch.path, 'f'), { recursive: true });
    writeFileSync(join(scratch.path, 'f', 'file'), '');
    const spec = await prepare({ runDir: join(scratch.path, 'f', 'file', 'run') });
    await expect(openQemuDriver().launch(spec)).rejects.toMatchObject({ code: 'host_fault' });
  });
});
