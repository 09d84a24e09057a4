import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { MIB, type VmHardware } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { FreezeSpec, HypervisorDriver, LaunchSpec, RunningVm } from '../../src/index.js';
import { withDevices } from './devices.contract.js';
import { withFirmware } from './firmware.contract.js';
import { waitUntil } from './wait-until.js';

export interface TemplateSubject {
  readonly folder: string;
  openDriver(): HypervisorDriver;
  /** Changes the template's memory behind the driver's back. */
  damageTemplate(folder: string): void;
}

export interface LentForTemplates {
  readonly subject: TemplateSubject;
  readonly diskBytes: number;
  driver(): HypervisorDriver;
  specOf(changes?: Partial<LaunchSpec>): LaunchSpec;
  launch(changes?: Partial<LaunchSpec>): Promise<{ vm: RunningVm; spec: LaunchSpec }>;
  consoleOf(spec: LaunchSpec): string;
}

const COUNTS_BEFORE = 3;

export function describeTemplateContract(lend: () => LentForTemplates): void {
  describe('a template and its forks', () => {
    const lastCount = (spec: LaunchSpec): number =>
      Math.max(
        0,
        ...[
          ...lend()
            .consoleOf(spec)
            .matchAll(/COUNT ([0-9a-f]+)/gi),
        ].map(([, hex]) => Number.parseInt(String(hex), 16)),
      );
    const firstCount = (spec: LaunchSpec): number =>
      Number.parseInt(/COUNT ([0-9a-f]+)/i.exec(lend().consoleOf(spec))?.[1] ?? '0', 16);
    const untilCounted = (vm: RunningVm, spec: LaunchSpec, beyond: number): Promise<void> =>
      waitUntil(`the guest counting beyond ${beyond}`, async () => {
        await vm.queryPower();
        return lastCount(spec) > beyond;
      });
    const freezeOf = (golden: LaunchSpec, changes: Partial<FreezeSpec> = {}): FreezeSpec => {
      const templateId = randomUUID();
      const { folder } = lend().subject;
      return {
        templateId,
        folder: join(folder, 'templates', templateId),
        runDir: join(folder, templateId.slice(0, 8)),
        golden,
        goesOn: true,
        ...changes,
      };
    };
    const golden = async () => {
      const { vm, spec } = await lend().launch();
      await untilCounted(vm, spec, COUNTS_BEFORE);
      return { vm, spec, freeze: freezeOf(spec) };
    };
    const forkOf = async (folder: string, changes: Partial<LaunchSpec> = {}) => {
      const { driver, specOf } = lend();
      const spec = specOf(changes);
      const facts = await driver().readTemplate(folder);
      if (facts === null) throw new Error('the template is there');
      await driver().ensureDisk({
        path: spec.diskPath,
        sizeBytes: facts.rootDiskBytes,
        imagePath: facts.diskPath,
        base: 'template',
      });
      return spec;
    };
    const end = (...specs: LaunchSpec[]): Promise<unknown> =>
      Promise.all(specs.map(({ vmId, runDir }) => lend().driver().sweep(vmId, runDir)));

    it('fork from one instant, each with an identity of its own, while the VM they come from goes on', async () => {
      const { vm, spec, freeze } = await golden();
      const facts = await lend().driver().freezeTemplate(freeze);
      const frozenAt = lastCount(spec);
      expect(facts).toMatchObject({
        templateId: freeze.templateId,
        vcpuCount: 1,
        memoryBytes: spec.memoryBytes,
        machineType: spec.machineType,
        rootDiskBytes: lend().diskBytes,
      });
      expect(facts.occupiedBytes).toBeGreaterThan(0);
      expect(await vm.queryPower()).toBe('running');
      await untilCounted(vm, spec, frozenAt);
      const forks = await Promise.all([1, 2].map(() => forkOf(freeze.folder)));
      for (const fork of forks) {
        const forked = await lend().driver().forkVm(fork, freeze.folder);
        expect(forked.vmId).toBe(fork.vmId);
        expect(await forked.queryGenerationId()).toBe(fork.firmware.generationId);
        await untilCounted(forked, fork, 0);
        expect(firstCount(fork)).toBeGreaterThan(COUNTS_BEFORE);
      }
      await end(spec, ...forks);
      await lend().driver().removeTemplate(freeze.folder);
    });

    it('is made once: the same request again finds it, as does a later driver', async () => {
      const { spec, freeze } = await golden();
      const first = await lend().driver().freezeTemplate(freeze);
      expect(await lend().driver().freezeTemplate(freeze)).toEqual(first);
      const later = lend().subject.openDriver();
      expect(await later.readTemplate(freeze.folder)).toEqual(first);
      await end(spec);
      for (const driver of [lend().driver(), later]) await driver.removeTemplate(freeze.folder);
      expect(await later.readTemplate(freeze.folder)).toBeNull();
    });

    it('leaves the VM standing still when it is to be ended', async () => {
      const { vm, spec, freeze } = await golden();
      await lend()
        .driver()
        .freezeTemplate({ ...freeze, goesOn: false });
      expect(await vm.queryPower()).toBe('paused');
      await end(spec);
      await lend().driver().removeTemplate(freeze.folder);
    });

    it('starts a fork paused when that is asked, and takes one over after the driver is gone', async () => {
      const { spec, freeze } = await golden();
      await lend().driver().freezeTemplate(freeze);
      const fork = await forkOf(freeze.folder, { isPaused: true });
      const forked = await lend().driver().forkVm(fork, freeze.folder);
      expect(await forked.queryPower()).toBe('paused');
      expect(lastCount(fork)).toBe(0);
      await forked.release();
      const adopted = await lend().subject.openDriver().adopt(fork.vmId, fork.runDir);
      expect(adopted?.pid).toBe(forked.pid);
      await adopted?.resume();
      await untilCounted(adopted as RunningVm, fork, COUNTS_BEFORE);
      await adopted?.end(1_000);
      await end(spec, fork);
      await lend().driver().removeTemplate(freeze.folder);
    });

    it('whose fork has stopped boots from its disk, as any VM', async () => {
      const { spec, freeze } = await golden();
      await lend().driver().freezeTemplate(freeze);
      const fork = await forkOf(freeze.folder);
      await (await lend().driver().forkVm(fork, freeze.folder)).end(5_000);
      expect(lend().consoleOf(fork)).not.toContain('GUEST UP');
      const booted = { ...fork, epoch: 2 };
      const vm = await lend().driver().launch(booted);
      await waitUntil('the guest booting', async () => {
        await vm.queryPower();
        return lend().consoleOf(booted).includes('GUEST UP');
      });
      await end(spec, booted);
      await lend().driver().removeTemplate(freeze.folder);
    });

    it('that was changed, or is not there, forks nothing', async () => {
      const { spec, freeze } = await golden();
      await lend().driver().freezeTemplate(freeze);
      const fork = await forkOf(freeze.folder);
      lend().subject.damageTemplate(freeze.folder);
      await expect(lend().driver().forkVm(fork, freeze.folder)).rejects.toMatchObject({ code: 'checksum_mismatch' });
      await lend().driver().removeTemplate(freeze.folder);
      await expect(lend().driver().forkVm(fork, freeze.folder)).rejects.toMatchObject({ code: 'not_found' });
      expect(await lend().driver().adopt(fork.vmId, fork.runDir)).toBeNull();
      await end(spec, fork);
    });

    it('forks nothing that is another machine, or whose disk is another', async () => {
      const { spec, freeze } = await golden();
      await lend().driver().freezeTemplate(freeze);
      const fork = await forkOf(freeze.folder);
      for (const other of [{ memoryBytes: 80 * MIB }, { vcpuCount: 2 }, { machineType: 'pc-q35-9.2' }]) {
        await expect(
          lend()
            .driver()
            .forkVm({ ...fork, ...other }, freeze.folder),
        ).rejects.toMatchObject({
          code: 'conflict_state',
        });
      }
      await expect(
        lend()
          .driver()
          .forkVm({ ...fork, diskPath: spec.diskPath }, freeze.folder),
      ).rejects.toMatchObject({
        code: 'conflict_state',
      });
      await end(spec);
      await lend().driver().removeTemplate(freeze.folder);
    });

    it('is not made of a VM that stands still, and changes nothing of it', async () => {
      const { vm, spec, freeze } = await golden();
      await vm.pause();
      await expect(lend().driver().freezeTemplate(freeze)).rejects.toMatchObject({ code: 'conflict_state' });
      expect(await vm.queryPower()).toBe('paused');
      await end(spec);
      await expect(lend().driver().freezeTemplate(freeze)).rejects.toMatchObject({ code: 'conflict_state' });
      expect(await lend().driver().readTemplate(freeze.folder)).toBeNull();
    });

    it.each<[string, VmHardware]>([
      ['a TPM', withFirmware({ tpm: '2.0' })],
      ['UEFI firmware', withFirmware({ kind: 'uefi' })],
      ['room for more', withDevices({ maxVcpuCount: 2 })],
    ])('is not made of a VM with %s', async (_what, hardware) => {
      const { spec, freeze } = await golden();
      await expect(
        lend()
          .driver()
          .freezeTemplate({ ...freeze, golden: { ...spec, hardware } }),
      ).rejects.toMatchObject({ code: 'conflict_state' });
      await end(spec);
    });
  });
}
