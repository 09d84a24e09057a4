import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ANYWHERE, type LaunchSpec, VM_UIDS } from '@kvorum/hypervisor-driver';
import { MIB, PLAIN_HARDWARE, VmFirmware } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { buildGuestImage, openScratch } from '../../packages/hypervisor-driver/test/qemu/scratch.js';

const UNIT = fileURLToPath(new URL('../../deploy/systemd/kvorum-agent.service', import.meta.url));
const LIFE = fileURLToPath(new URL('life-of-a-vm.mjs', import.meta.url));
const isRoot = process.getuid?.() === 0;
const hasAnalyze = existsSync('/usr/bin/systemd-analyze');
if (!isRoot) console.log('skipped: the unit runs the agent as root');

const scratch = openScratch();
afterAll(() => scratch.remove());

const settings = new Map(
  readFileSync(UNIT, 'utf8')
    .split('\n')
    .filter((line) => /^[A-Za-z]+=/.test(line))
    .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);

describe('the unit of the agent', () => {
  it.skipIf(!hasAnalyze)('is one that systemd takes', () => {
    expect(spawnSync('systemd-analyze', ['verify', UNIT], { encoding: 'utf8' }).stderr).not.toContain(
      'kvorum-agent.service:',
    );
  });

  it('keeps VMs over its restarts, and asks for a user per VM', () => {
    expect(settings.get('KillMode')).toBe('process');
    expect(settings.get('RuntimeDirectoryPreserve')).toBe('yes');
    expect(settings.get('ExecStart')).toContain('--vm-users own');
    expect([settings.get('RuntimeDirectoryMode'), settings.get('StateDirectoryMode')]).toEqual(['0711', '0711']);
  });

  it.skipIf(!isRoot)('leaves the agent just what a VM needs: start, pinning, takeover, its disk, its end', async () => {
    const vmId = randomUUID();
    const spec: LaunchSpec = {
      vmId,
      name: 'web',
      runDir: path.join(scratch.path, 'vm'),
      epoch: 1,
      vcpuCount: 1,
      memoryBytes: 64 * MIB,
      accelerator: 'tcg',
      machineType: 'pc-q35-10.0',
      hardware: { ...PLAIN_HARDWARE, firmware: VmFirmware.parse({ tpm: '2.0' }) },
      firmware: { folder: path.join(scratch.path, 'firmware', vmId), generationId: vmId },
      diskPath: path.join(scratch.path, 'disks', `${vmId}.qcow2`),
      placement: { ...ANYWHERE, vcpuCpus: [0], otherCpus: [1] },
      isPaused: false,
    };
    const capabilities = (settings.get('CapabilityBoundingSet') ?? '')
      .split(' ')
      .map((name) => `+${name.replace(/^CAP_/, '').toLowerCase()}`);
    const input = {
      spec,
      imagePath: buildGuestImage(scratch.path),
      options: { vmUids: VM_UIDS, cgroupParent: `kvorum-test-${path.basename(scratch.path)}` },
    };
    const words = [
      '--bounding-set',
      ['-all', ...capabilities].join(','),
      '--no-new-privs',
      '--',
      process.execPath,
      LIFE,
    ];
    const told = JSON.parse(execFileSync('setpriv', [...words, JSON.stringify(input)], { encoding: 'utf8' }));
    expect(told).toEqual({
      user: expect.any(Number),
      capabilities: '0000000000000000',
      adopted: true,
      cpus: [0],
      console: true,
      exit: 'requested',
      isDiskGone: true,
    });
    expect(told.user).toBeGreaterThanOrEqual(VM_UIDS.first);
  });
});
