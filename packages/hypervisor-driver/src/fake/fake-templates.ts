import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import type { LaunchSpec } from '../driver.js';
import { assertForkOf, assertFreezable, frozenHardware } from '../qemu/templates/template-refusal.js';
import type { FreezeSpec, TemplateFacts } from '../template-port.js';
import type { FakeMachine, FakeProcess, FakeTemplate } from './fake-machine.js';

export const notRunning = (): DomainError =>
  new DomainError('conflict_state', 'only a VM that runs can be made a template: start or resume it');

/** As qemu/templates/freeze-template.ts, at once. */
export function freezeFakeTemplate(machine: FakeMachine, process: FakeProcess, freeze: FreezeSpec): TemplateFacts {
  assertFreezable(freeze);
  const { golden, folder, templateId } = freeze;
  const present = machine.templates.get(folder);
  if (present !== undefined) return present.facts;
  if (process.power !== 'running') throw notRunning();
  const hasCards = process.machine.hardware.devices.nics.length > 0;
  if (hasCards && !process.takesPartInChanges) {
    throw new DomainError('conflict_state', 'the guest has not let go of a device within 0 s');
  }
  process.tick();
  const { vcpuCount, memoryBytes, accelerator, machineType, hardware } = golden;
  const facts: TemplateFacts = {
    ...{ templateId, vcpuCount, memoryBytes, accelerator, machineType },
    hardware: frozenHardware(hardware),
    hasSeedDisk: golden.seedPath != null,
    rootDiskBytes: machine.disks.get(golden.diskPath)?.sizeBytes ?? 0,
    diskPath: join(folder, 'disk.qcow2'),
    basePaths: [machine.disks.get(golden.diskPath)?.imagePath ?? ''],
    occupiedBytes: memoryBytes,
  };
  const { counted, hasBalloonDriver, hasGuestAgent } = process;
  machine.templates.set(folder, { facts, counted, hasBalloonDriver, hasGuestAgent });
  if (!freeze.goesOn) process.changePower('paused');
  return facts;
}

/** As qemu/templates/guest-of-template.ts. */
export function fakeTemplateOf(machine: FakeMachine, launch: LaunchSpec, folder: string): FakeTemplate {
  const template = machine.templates.get(folder);
  if (template === undefined) throw new DomainError('not_found', 'the template of the VM is not on this host');
  assertForkOf(launch, template.facts);
  if (machine.disks.get(launch.diskPath)?.imagePath !== template.facts.diskPath) {
    throw new DomainError('conflict_state', "the disk of the VM does not rest on its template's");
  }
  if (machine.damagedTemplates.has(folder)) {
    throw new DomainError(
      'checksum_mismatch',
      'the memory of the template is not what was frozen: remove the template',
    );
  }
  return template;
}
