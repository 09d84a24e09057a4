import { join } from 'node:path';
import type { VmFirmware } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import { ovmfFiles } from '../../firmware/ovmf.js';
import { qemuWatchdogAction } from '../../firmware/watchdog-action.js';
import { options } from '../option-string.js';
import type { RunFolder } from '../run-folder.js';

const CODE_NODE = 'firmware-code';
const VARIABLES_NODE = 'firmware-variables';

type MachineOptions = Readonly<Record<string, string>>;

/** What the firmware asks of -machine. SMM is what keeps the variables from the guest's kernel. */
export function firmwareMachine({ kind, secureBoot }: VmFirmware): MachineOptions {
  if (kind === 'bios') return {};
  return { pflash0: CODE_NODE, pflash1: VARIABLES_NODE, ...(secureBoot ? { smm: 'on' } : {}) };
}

/**
 * UEFI, TPM, watchdog and the generation id, as VmFirmware asks. `pathOf`: how the process names a file of the VM's; the code
 * of the firmware is the host's and readable for all.
 */
export function firmwareArguments(
  launch: LaunchSpec,
  folder: RunFolder,
  pathOf: (path: string) => string,
  ovmfFolder: string,
): string[] {
  const { firmware } = launch.hardware;
  return [
    ...(firmware.kind === 'uefi' ? flash(firmware, pathOf, launch.firmware.folder, ovmfFolder) : []),
    ...(firmware.tpm === 'none' ? [] : tpm(folder)),
    ...watchdog(firmware),
    ...generation(launch.firmware.generationId),
  ];
}

function flash(
  firmware: VmFirmware,
  pathOf: (path: string) => string,
  variablesFolder: string,
  ovmfFolder: string,
): string[] {
  const { code, copyName } = ovmfFiles(ovmfFolder, firmware);
  const nodes = [
    { 'node-name': `${CODE_NODE}-file`, driver: 'file', filename: code, 'read-only': true },
    { 'node-name': CODE_NODE, driver: 'raw', file: `${CODE_NODE}-file`, 'read-only': true },
    { 'node-name': `${VARIABLES_NODE}-file`, driver: 'file', filename: pathOf(join(variablesFolder, copyName)) },
    { 'node-name': VARIABLES_NODE, driver: 'raw', file: `${VARIABLES_NODE}-file` },
  ];
  return [
    ...nodes.flatMap((node) => ['-blockdev', JSON.stringify(node)]),
    // Without it code outside SMM could write the variables, and with them turn Secure Boot off.
    ...(firmware.secureBoot ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
  ];
}

/** tpm-crb: the interface of TPM 2.0 (TCG PC Client Platform TPM Profile). swtpm listens before QEMU starts. */
function tpm({ tpmSocket }: RunFolder): string[] {
  return [
    '-chardev',
    options('socket', { id: 'tpm', path: tpmSocket }),
    '-tpmdev',
    options('emulator', { id: 'tpm-backend', chardev: 'tpm' }),
    '-device',
    options('tpm-crb', { id: 'tpm-device', tpmdev: 'tpm-backend' }),
  ];
}

/**
 * Intel 6300ESB, which Linux and Windows have drivers for. The action holds for every watchdog of the machine, so q35's own
 * (TCO, part of its chipset) is off: a VM has the one it asked for, or none. The trace line tells of a run-out also when no
 * agent listened (exit-reason.ts).
 */
function watchdog({ watchdog: { action } }: VmFirmware): string[] {
  const off = ['-global', 'ICH9-LPC.noreboot=on'];
  if (action === 'none') return off;
  return [
    ...off,
    '-device',
    options('i6300esb', { id: 'watchdog' }),
    '-action',
    `watchdog=${qemuWatchdogAction(action)}`,
    '-trace',
    'enable=watchdog_perform_action',
  ];
}

/** docs/specs/vmgenid.rst: a guest that sees another id than before knows that it is a copy, and renews its random numbers. */
const generation = (generationId: string): string[] => [
  '-device',
  options('vmgenid', { id: 'generation', guid: generationId }),
];
