import { describe, expect, it } from 'vitest';
import { PLAIN_HARDWARE, VmHardware } from './vm-hardware.schema.js';

describe('the firmware of a VM', () => {
  it('is a BIOS without anything else where nothing was said', () => {
    expect(PLAIN_HARDWARE.firmware).toEqual({
      kind: 'bios',
      secureBoot: false,
      tpm: 'none',
      watchdog: { action: 'none' },
    });
  });

  it.each<[string, object, string | null]>([
    ['UEFI with everything', { kind: 'uefi', secureBoot: true, tpm: '2.0', watchdog: { action: 'reset' } }, null],
    ['a TPM under a BIOS', { tpm: '2.0' }, null],
    ['Secure Boot under a BIOS', { secureBoot: true }, 'firmware.secureBoot'],
    ['another firmware', { kind: 'coreboot' }, 'firmware.kind'],
    ['another TPM', { tpm: '1.2' }, 'firmware.tpm'],
    ['an action that QEMU does not know', { watchdog: { action: 'pray' } }, 'firmware.watchdog.action'],
    ['a field that is none', { watchdog: { timeoutMs: 1 } }, 'firmware.watchdog'],
  ])('%s is taken, or refused with its field', (_what, firmware, refused) => {
    const { error } = VmHardware.safeParse({ firmware });
    expect(error?.issues[0]?.path.join('.') ?? null).toBe(refused);
  });
});
