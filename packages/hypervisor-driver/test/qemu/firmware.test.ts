import { createHash, randomUUID } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { MIB, PLAIN_HARDWARE, VmFirmware } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { OVMF_FOLDER, ovmfFiles } from '../../src/firmware/ovmf.js';
import { ANYWHERE, type LaunchSpec, openQemuDriver, VM_UIDS } from '../../src/index.js';
import { vmUid } from '../../src/isolation/vm-user.js';
import { waitUntil } from '../contract/wait-until.js';
import { isolated, removeGroups } from './isolated.js';
import { buildGuestImage, openScratch, tpmPidsOf } from './scratch.js';

const scratch = openScratch();
const image = buildGuestImage(scratch.path);
const options = isolated(scratch.path);
const driver = openQemuDriver(options);
afterAll(async () => {
  scratch.remove();
  await removeGroups(options);
});

const END_TIMEOUT_MS = 5_000;
/** OVMF takes 5 s on an idle machine under emulation. */
const FIRMWARE_MS_MAX = 100_000;

async function prepare(firmware: object, changes: Partial<LaunchSpec> = {}): Promise<LaunchSpec> {
  const vmId = randomUUID();
  const spec: LaunchSpec = {
    vmId,
    name: 'web',
    runDir: join(scratch.path, vmId.slice(0, 8)),
    epoch: 1,
    vcpuCount: 1,
    memoryBytes: 64 * MIB,
    accelerator: 'tcg',
    machineType: 'pc-q35-10.0',
    hardware: { ...PLAIN_HARDWARE, firmware: VmFirmware.parse(firmware) },
    firmware: { folder: join(scratch.path, 'firmware', vmId), generationId: randomUUID() },
    diskPath: join(scratch.path, `${vmId}.qcow2`),
    placement: ANYWHERE,
    isPaused: false,
    ...changes,
  };
  await driver.ensureDisk({ path: spec.diskPath, sizeBytes: 8 * MIB, imagePath: image });
  return spec;
}

const consoleOf = ({ runDir }: LaunchSpec): string => readFileSync(join(runDir, 'console.log'), 'latin1');
const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
const tpmStateOf = ({ firmware }: LaunchSpec): string => join(firmware.folder, 'tpm', 'tpm2-00.permall');

describe('UEFI with Secure Boot and a TPM', () => {
  it('refuses what nobody signed; variables and the state of the TPM are kept over a restart', async () => {
    const spec = await prepare({ kind: 'uefi', secureBoot: true, tpm: '2.0' }, { isPaused: true });
    const { variables: template, copyName } = ovmfFiles(OVMF_FOLDER, { secureBoot: true });
    const variables = join(spec.firmware.folder, copyName);
    const vm = await driver.launch(spec);
    expect(digest(variables)).toBe(digest(template));
    const fresh = digest(tpmStateOf(spec));
    await vm.resume();
    // The disk's boot sector is for a BIOS, and the firmware's own shell carries no signature.
    await waitUntil('the refusal', () => consoleOf(spec).includes('Security Violation'), FIRMWARE_MS_MAX);
    const kept = { variables: digest(variables), tpm: digest(tpmStateOf(spec)) };
    expect(kept.variables).not.toBe(digest(template));
    // The firmware has started the TPM, which counts starts.
    expect(kept.tpm).not.toBe(fresh);
    await vm.end(END_TIMEOUT_MS);
    const again = await driver.launch({ ...spec, epoch: 2 });
    expect(digest(variables)).toBe(kept.variables);
    expect(statSync(tpmStateOf(spec)).size).toBeGreaterThan(0);
    await again.end(END_TIMEOUT_MS);
    expect(readdirSync(spec.firmware.folder).sort()).toEqual([copyName, 'tpm']);
  });
});

describe('the TPM of a VM', () => {
  it.skipIf(process.getuid?.() !== 0)("runs as the VM's user, out of reach of all but the agent", async () => {
    const spec = await prepare({ tpm: '2.0' });
    const vm = await driver.launch(spec);
    const [pid] = tpmPidsOf(spec.runDir);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const uid = vmUid(spec.vmId, VM_UIDS);
    expect(/^Uid:\t(.*)$/m.exec(status)?.[1]).toBe(Array(4).fill(uid).join('\t'));
    expect([/^CapEff:\t0+$/m.test(status), /^NoNewPrivs:\t1$/m.test(status), /^Seccomp:\t2$/m.test(status)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(statSync(join(spec.runDir, 'io')).mode & 0o777).toBe(0o700);
    expect(statSync(tpmStateOf(spec))).toMatchObject({ uid, mode: 0o100600 });
    await vm.end(END_TIMEOUT_MS);
  });

  it('ends with the VM: asked to, killed, and while no agent lives', async () => {
    for (const manner of ['asked', 'killed', 'unwatched'] as const) {
      const spec = await prepare({ tpm: '2.0' });
      const vm = await driver.launch(spec);
      expect(tpmPidsOf(spec.runDir)).toHaveLength(1);
      if (manner === 'unwatched') await vm.release();
      if (manner === 'asked') await vm.end(END_TIMEOUT_MS);
      else process.kill(vm.pid, 'SIGKILL');
      await waitUntil(`the end of the TPM: ${manner}`, () => tpmPidsOf(spec.runDir).length === 0);
    }
  });

  it('that an agent left behind before QEMU began is ended by the next one', async () => {
    const spec = await prepare({ tpm: '2.0' });
    const vm = await driver.launch(spec);
    await vm.release();
    // Stopped, it cannot see the end of QEMU: like one whose QEMU was never started.
    const [pid] = tpmPidsOf(spec.runDir);
    process.kill(pid as number, 'SIGSTOP');
    process.kill(vm.pid, 'SIGKILL');
    const record = JSON.parse(readFileSync(join(spec.runDir, 'process.json'), 'utf8'));
    writeFileSync(
      join(spec.runDir, 'process.json'),
      JSON.stringify({ ...record, phase: 'launching', process: null, tpm: undefined }),
    );
    const next = openQemuDriver(options);
    await waitUntil('the end of QEMU', () => !existsSync(`/proc/${vm.pid}/exe`));
    expect(await next.adopt(spec.vmId, spec.runDir)).toBeNull();
    expect(tpmPidsOf(spec.runDir)).toEqual([]);
  });

  it('that does not start is told in its own words, and nothing is left', async () => {
    const spec = await prepare({ tpm: '2.0' });
    mkdirSync(join(spec.firmware.folder, 'tpm'), { recursive: true });
    writeFileSync(join(spec.firmware.folder, 'tpm', 'tpm2-00.permall'), 'not a state');
    await expect(driver.launch(spec)).rejects.toMatchObject({ code: 'host_fault' });
    expect(tpmPidsOf(spec.runDir)).toEqual([]);
    expect(readdirSync(spec.runDir)).not.toContain('process.json');
  });
});

describe('a host that lacks', () => {
  const bare = join(scratch.path, 'bare');
  it.each<[string, object, Partial<VmFirmware>, RegExp]>([
    ['OVMF', { ovmfFolder: bare }, { kind: 'uefi' }, /install the package ovmf/],
    [
      'OVMF with Secure Boot',
      { ovmfFolder: join(scratch.path, 'plain') },
      { kind: 'uefi', secureBoot: true },
      /Secure Boot/,
    ],
    ['swtpm', { swtpmPath: join(bare, 'swtpm') }, { tpm: '2.0' }, /install the package swtpm/],
  ])(
    '%s refuses a VM that needs it, says so among its findings, and starts others',
    async (_what, lack, firmware, words) => {
      const plain = join(scratch.path, 'plain');
      mkdirSync(plain, { recursive: true });
      const { code, variables } = ovmfFiles(OVMF_FOLDER, { secureBoot: false });
      for (const file of [code, variables]) copyFileSync(file, join(plain, file.split('/').at(-1) as string));
      const poor = openQemuDriver({ ...options, ...lack });
      const spec = await prepare(firmware);
      await expect(poor.launch(spec)).rejects.toMatchObject({
        code: 'conflict_state',
        message: expect.stringMatching(words),
      });
      expect(existsSync(spec.runDir)).toBe(false);
      const { findings, firmware: support } = await poor.observeHost();
      expect(support).toEqual({
        uefi: firmware.kind !== 'uefi' || firmware.secureBoot === true,
        secureBoot: firmware.kind !== 'uefi',
        tpm: firmware.tpm === undefined,
      });
      expect(
        findings.filter(({ name, remedy }) => ['uefi', 'tpm-emulator'].includes(name) && remedy !== null),
      ).toHaveLength(1);
      const vm = await poor.launch({ ...spec, hardware: PLAIN_HARDWARE });
      expect(await vm.queryPower()).toBe('running');
      await vm.end(END_TIMEOUT_MS);
      rmSync(plain, { recursive: true });
    },
  );
});
