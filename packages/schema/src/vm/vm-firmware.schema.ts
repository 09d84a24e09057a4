import { z } from 'zod';

/** What runs before the guest's operating system. */
export const FirmwareKind = z.enum(['bios', 'uefi']).meta({
  id: 'FirmwareKind',
  description: 'bios: SeaBIOS; uefi: OVMF, with variables of its own that are kept over restarts',
});
export type FirmwareKind = z.infer<typeof FirmwareKind>;

export const WATCHDOG_ACTIONS = ['none', 'report', 'reset', 'shutdown', 'poweroff', 'pause', 'inject-nmi'] as const;
export type WatchdogAction = (typeof WATCHDOG_ACTIONS)[number];

const Watchdog = z
  .strictObject({
    action: z
      .enum(WATCHDOG_ACTIONS)
      .default('none')
      .meta({
        description:
          'What happens when the guest stops feeding its watchdog. none: it has no watchdog device; report: only the event ' +
          'is recorded; reset: the reset button; shutdown: the power button; poweroff: the VM ends; pause: it stands still ' +
          'as it is, for a look; inject-nmi: the guest gets an NMI',
      }),
  })
  .meta({ id: 'VmWatchdog' });

/** What starts the guest, and the devices that vouch for it or watch over it. Part of VmHardware. */
export const VmFirmware = z
  .strictObject({
    kind: FirmwareKind.default('bios'),
    secureBoot: z.boolean().default(false).meta({
      description: "Start only what Microsoft's keys have signed, as distributions' shims are. Needs kind uefi",
    }),
    tpm: z
      .enum(['none', '2.0'])
      .default('none')
      .meta({ description: '2.0: an emulated TPM 2.0 (swtpm) whose state is kept over restarts' }),
    watchdog: Watchdog.prefault({}),
  })
  .refine(({ kind, secureBoot }) => !secureBoot || kind === 'uefi', {
    path: ['secureBoot'],
    error: 'needs kind uefi: a BIOS starts whatever the disk holds',
  })
  .meta({ id: 'VmFirmware' });
export type VmFirmware = z.infer<typeof VmFirmware>;
