import { GIB, PLAIN_HARDWARE, VmFirmware } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec } from '../../driver.js';
import { buildArguments } from '../build-arguments.js';

const launchWith = (firmware: object): LaunchSpec => ({
  vmId: '01900000-0000-7000-8000-000000000001',
  name: 'web-1',
  runDir: '/run/kvorum/1',
  epoch: 1,
  vcpuCount: 1,
  memoryBytes: GIB,
  accelerator: 'kvm',
  machineType: 'pc-q35-10.0',
  hardware: { ...PLAIN_HARDWARE, firmware: VmFirmware.parse(firmware) },
  firmware: { folder: '/state/firmware/1', generationId: '01900000-0000-4000-8000-00000000000a' },
  diskPath: '/state/disks/1/a.qcow2',
  placement: ANYWHERE,
  isPaused: false,
});
const argumentsOf = (firmware: object): string[] =>
  buildArguments(launchWith(firmware), { bases: ['/state/images/x.qcow2'], cache: 'direct' });

/** What an option of the firmware adds to a plain VM. */
function added(firmware: object): string[] {
  const plain = new Set(argumentsOf({}));
  return argumentsOf(firmware).filter((argument) => !plain.has(argument));
}

const MACHINE = 'pc-q35-10.0,usb=off,sata=off,smbus=off,vmport=off,graphics=off,dump-guest-core=off';
const nodes = (code: string, variables: string): string[] => [
  `{"node-name":"firmware-code-file","driver":"file","filename":"/usr/share/OVMF/${code}","read-only":true}`,
  '{"node-name":"firmware-code","driver":"raw","file":"firmware-code-file","read-only":true}',
  `{"node-name":"firmware-variables-file","driver":"file","filename":"/state/firmware/1/${variables}"}`,
  '{"node-name":"firmware-variables","driver":"raw","file":"firmware-variables-file"}',
];

describe('what an option of the firmware adds to the command line', () => {
  it.each<[string, object, string[]]>([
    ['nothing by itself', {}, []],
    [
      'UEFI: code that is read only, and variables of its own',
      { kind: 'uefi' },
      [`${MACHINE},pflash0=firmware-code,pflash1=firmware-variables`, ...nodes('OVMF_CODE_4M.fd', 'uefi-variables.fd')],
    ],
    [
      'Secure Boot: SMM, and variables that only code in SMM may write',
      { kind: 'uefi', secureBoot: true },
      [
        `${MACHINE},pflash0=firmware-code,pflash1=firmware-variables,smm=on`,
        ...nodes('OVMF_CODE_4M.secboot.fd', 'secure-boot-variables.fd'),
        'driver=cfi.pflash01,property=secure,value=on',
      ],
    ],
    [
      'a TPM behind a socket',
      { tpm: '2.0' },
      [
        'socket,id=tpm,path=/run/kvorum/1/io/tpm.sock',
        '-tpmdev',
        'emulator,id=tpm-backend,chardev=tpm',
        'tpm-crb,id=tpm-device,tpmdev=tpm-backend',
      ],
    ],
    ...(
      [
        ['report', 'none'],
        ['reset', 'reset'],
        ['shutdown', 'shutdown'],
        ['poweroff', 'poweroff'],
        ['pause', 'pause'],
        ['inject-nmi', 'inject-nmi'],
      ] as const
    ).map(([action, qemuAction]): [string, object, string[]] => [
      `a watchdog that does: ${action}`,
      { watchdog: { action } },
      ['i6300esb,id=watchdog', `watchdog=${qemuAction}`, 'enable=watchdog_perform_action'],
    ]),
  ])('%s', (_what, firmware, expected) => {
    expect(added(firmware)).toEqual(expected);
  });
});
