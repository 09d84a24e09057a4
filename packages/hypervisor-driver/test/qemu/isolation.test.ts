import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB, PLAIN_HARDWARE, type VmHardware, type VolumeId } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec, openQemuDriver, type RunningVm, VM_UIDS } from '../../src/index.js';
import { findLayout } from '../../src/isolation/cgroups.js';
import { vmUid } from '../../src/isolation/vm-user.js';
import { waitUntil } from '../contract/wait-until.js';
import { isolated, removeGroups } from './isolated.js';
import { buildGuestImage, openScratch } from './scratch.js';

const isRoot = process.getuid?.() === 0;
const CGROUP_ROOT = '/sys/fs/cgroup';
const hasV1Limits = isRoot && findLayout(CGROUP_ROOT)?.version === 1;
if (!isRoot) console.log('skipped: users of VMs need root');
if (!hasV1Limits) console.log('skipped: the limits of this test are those of control groups v1');

const scratch = openScratch();
const image = buildGuestImage(scratch.path);
const options = isolated(scratch.path);
const driver = openQemuDriver(options);
afterAll(async () => {
  scratch.remove();
  await removeGroups(options);
});
const END_TIMEOUT_MS = 500;
const MEMORY_BYTES = 64 * MIB;

async function start(): Promise<{ vm: RunningVm; spec: LaunchSpec; uid: number }> {
  const vmId = randomUUID();
  const spec: LaunchSpec = {
    vmId,
    name: 'web',
    runDir: join(scratch.path, 'run', vmId.slice(0, 8)),
    epoch: 1,
    vcpuCount: 2,
    memoryBytes: MEMORY_BYTES,
    accelerator: 'tcg',
    machineType: 'pc-q35-10.0',
    hardware: PLAIN_HARDWARE,
    firmware: { folder: join(scratch.path, 'firmware', vmId), generationId: vmId },
    diskPath: join(scratch.path, 'disks', vmId, 'root.qcow2'),
    placement: ANYWHERE,
    isPaused: false,
  };
  await driver.ensureDisk({ path: spec.diskPath, sizeBytes: 8 * MIB, imagePath: image });
  execFileSync('chmod', ['0711', join(scratch.path, 'disks')]);
  execFileSync('mkdir', ['-p', join(scratch.path, 'run')]);
  return { vm: await driver.launch(spec), spec, uid: vmUid(vmId, VM_UIDS) };
}

const withDataDisk = (id: string): VmHardware => {
  const plain = { throttle: { iops: null, bytesPerSecond: null }, cache: 'auto', discard: true, serial: null } as const;
  const disk = { ...plain, id: id as VolumeId, sizeBytes: 8 * MIB, slot: 1, poolId: null };
  return { ...PLAIN_HARDWARE, devices: { ...PLAIN_HARDWARE.devices, dataDisks: [disk] } };
};

const statusOf = (pid: number, field: string): string =>
  new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.trim() ?? '?';

/** What a process of that user, with no other rights, is told when it tries. */
function tryAs(uid: number, ...command: string[]): { status: number | null; words: string } {
  const { status, stderr } = spawnSync(
    'setpriv',
    [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs', '--', ...command],
    { encoding: 'utf8', cwd: '/' },
  );
  return { status, words: stderr };
}

const CONNECT = `require('node:net').connect(process.argv[1]).on('connect', () => process.exit(0)).on('error', (e) => { console.error(e.code); process.exit(1) })`;

describe.skipIf(!isRoot)('the process of a VM', () => {
  it('has a user of its own, no groups, no capabilities and no way to more', async () => {
    const [first, second] = [await start(), await start()];
    for (const { vm, uid } of [first, second]) {
      const ids = Array(4).fill(uid).join('\t');
      expect([statusOf(vm.pid, 'Uid'), statusOf(vm.pid, 'Gid')]).toEqual([ids, ids]);
      expect(statusOf(vm.pid, 'Groups')).toBe('');
      expect(['CapEff', 'CapPrm', 'CapInh', 'CapAmb'].map((field) => Number(statusOf(vm.pid, field)))).toEqual([
        0, 0, 0, 0,
      ]);
      expect([statusOf(vm.pid, 'NoNewPrivs'), statusOf(vm.pid, 'Seccomp')]).toEqual(['1', '2']);
    }
    expect(first.uid).not.toBe(second.uid);
    for (const { vm } of [first, second]) await vm.end(END_TIMEOUT_MS);
  });

  it("opens its own disk, reads the image, and reaches nothing of another VM's or of the agent's", async () => {
    const [own, other] = [await start(), await start()];
    expect(tryAs(own.uid, 'test', '-r', image).status).toBe(0);
    expect(tryAs(own.uid, 'test', '-w', image).status).toBe(1);
    expect(tryAs(own.uid, 'dd', `if=${own.spec.diskPath}`, 'of=/dev/null', 'count=1').status).toBe(0);
    for (const path of [
      other.spec.diskPath,
      join(other.spec.runDir, 'console.log'),
      join(other.spec.runDir, 'process.json'),
      join(own.spec.runDir, 'process.json'),
      join(own.spec.runDir, 'qemu.log'),
    ]) {
      expect(existsSync(path)).toBe(true);
      expect(tryAs(own.uid, 'cat', path).words).toContain('Permission denied');
    }
    expect(tryAs(own.uid, 'ls', join(scratch.path, 'disks')).words).toContain('Permission denied');
    expect(tryAs(own.uid, 'kill', '-0', `${other.vm.pid}`).status).not.toBe(0);
    for (const { vm } of [own, other]) await vm.end(END_TIMEOUT_MS);
  });

  it('cannot reach the sockets of any VM, nor exchange its own: only the agent can', async () => {
    const [own, other] = [await start(), await start()];
    for (const { spec } of [own, other]) {
      for (const name of ['qmp.sock', 'guest-agent.sock']) {
        const path = join(spec.runDir, 'io', name);
        expect(statSync(path).isSocket()).toBe(true);
        expect(tryAs(own.uid, process.execPath, '-e', CONNECT, path).words).toContain('EACCES');
        expect(tryAs(own.uid, 'rm', '-f', path).words).toContain('Permission denied');
      }
      const input = join(spec.runDir, 'io', 'serial.in');
      expect(statSync(input).isFIFO()).toBe(true);
      expect(tryAs(own.uid, 'dd', 'if=/dev/zero', `of=${input}`, 'count=1').words).toContain('Permission denied');
    }
    expect(tryAs(own.uid, 'ln', '-sf', '/etc/passwd', join(own.spec.runDir, 'console.log')).status).toBe(1);
    // The agent can: it takes the VM over through that socket.
    await own.vm.release();
    const adopted = await openQemuDriver(options).adopt(own.spec.vmId, own.spec.runDir);
    expect(await adopted?.queryPower()).toBe('running');
    await adopted?.end(END_TIMEOUT_MS);
    await other.vm.end(END_TIMEOUT_MS);
  });

  it('is refused by name when its user cannot pass to the run folder', async () => {
    const { vm, spec } = await start();
    await vm.end(END_TIMEOUT_MS);
    const closed = join(scratch.path, 'closed');
    execFileSync('mkdir', ['-m', '0700', closed]);
    await expect(driver.launch({ ...spec, runDir: join(closed, 'vm') })).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining(closed),
    });
  });

  it('needs no way through what lies above its disks, and to those elsewhere it does', async () => {
    const { vm, spec } = await start();
    await vm.end(END_TIMEOUT_MS);
    const [closed, elsewhere] = [join(scratch.path, 'private'), join(scratch.path, 'elsewhere')];
    execFileSync('mkdir', ['-m', '0700', closed, elsewhere]);
    const [state, folder] = [join(closed, 'state'), join(closed, 'state', 'vm')];
    execFileSync('mkdir', ['-m', '0711', state, folder]);
    const imagePath = join(state, 'image.qcow2');
    copyFileSync(image, imagePath);
    const diskPath = join(folder, 'root.qcow2');
    const diskId = randomUUID();
    const hardware = withDataDisk(diskId);
    const withDisk = (path: string) => ({
      ...spec,
      diskPath,
      hardware,
      attachments: { disks: { [diskId]: path }, media: {} },
    });
    const [beside, apart] = [join(folder, 'data.qcow2'), join(elsewhere, 'data.qcow2')];
    for (const path of [beside, apart]) await driver.ensureDisk({ path, sizeBytes: 8 * MIB, imagePath: null });
    await driver.ensureDisk({ path: diskPath, sizeBytes: 8 * MIB, imagePath });
    const running = await driver.launch(withDisk(beside));
    expect(await running.queryPower()).toBe('running');
    await running.end(END_TIMEOUT_MS);
    await expect(driver.launch(withDisk(apart))).rejects.toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining(closed),
    });
  });
});

describe.skipIf(!hasV1Limits)('the control group of a VM (v1)', () => {
  const groupOf = (controller: string, spec: LaunchSpec) =>
    join(CGROUP_ROOT, controller, options.cgroupParent ?? '', spec.vmId);
  const read = (...path: string[]) => readFileSync(join(...path), 'utf8').trim();

  it('limits memory, CPU time and tasks of the VM, holds its process, and goes with it', async () => {
    const { vm, spec } = await start();
    expect({
      memory: Number(read(groupOf('memory', spec), 'memory.limit_in_bytes')),
      cpu: Number(read(groupOf('cpu', spec), 'cpu.cfs_quota_us')),
      pids: Number(read(groupOf('pids', spec), 'pids.max')),
    }).toEqual({ memory: MEMORY_BYTES + 175 * MIB, cpu: 300_000, pids: 130 });
    for (const controller of ['memory', 'cpu', 'pids']) {
      expect(read(groupOf(controller, spec), 'cgroup.procs')).toBe(`${vm.pid}`);
    }
    await vm.end(END_TIMEOUT_MS);
    await vm.exited;
    for (const controller of ['memory', 'cpu', 'pids']) expect(existsSync(groupOf(controller, spec))).toBe(false);
  });

  it.each(['watched', 'unwatched'])('tells an out-of-memory kill from a crash: %s', async (manner) => {
    const { vm, spec } = await start();
    if (manner === 'unwatched') await vm.release();
    const group = groupOf('memory', spec);
    const used = Number(read(group, 'memory.usage_in_bytes'));
    writeFileSync(join(group, 'memory.limit_in_bytes'), `${used + 16 * MIB}`);
    // The kernel chooses the VM, although something else in the group is what needs memory.
    writeFileSync(`/proc/${vm.pid}/oom_score_adj`, '1000');
    const hog = spawn('sh', ['-c', `echo $$ > ${group}/cgroup.procs; exec head -c ${128 * MIB} /dev/zero | tail`], {
      stdio: 'ignore',
    });
    try {
      if (manner === 'watched') {
        expect(await vm.exited).toMatchObject({ reason: 'out-of-memory', detail: expect.stringContaining('SIGKILL') });
        return;
      }
      const next = openQemuDriver(options);
      await waitUntil('the end', async () => (await next.readExit(spec.vmId, spec.runDir)) !== null);
      expect(await next.readExit(spec.vmId, spec.runDir)).toMatchObject({ exit: { reason: 'out-of-memory' } });
      hog.kill('SIGKILL');
      await waitUntil('the removal of the group', async () => {
        await next.removeLeftovers(() => false);
        return !existsSync(group);
      });
    } finally {
      hog.kill('SIGKILL');
    }
  });

  it('that a dead agent left is removed, and one in which a VM runs is not', async () => {
    const [gone, kept] = [await start(), await start()];
    await gone.vm.release();
    process.kill(gone.vm.pid, 'SIGKILL');
    await waitUntil('the end', () => read(groupOf('pids', gone.spec), 'cgroup.procs') === '');
    const next = openQemuDriver(options);
    await next.removeLeftovers(() => false);
    expect(existsSync(groupOf('memory', gone.spec))).toBe(false);
    expect(read(groupOf('memory', kept.spec), 'cgroup.procs')).toBe(`${kept.vm.pid}`);
    await kept.vm.end(END_TIMEOUT_MS);
    await kept.vm.exited;
    await next.removeLeftovers(() => false);
    expect(readdirSync(join(CGROUP_ROOT, 'memory'))).not.toContain(options.cgroupParent);
  });
});
