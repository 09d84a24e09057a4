import { type Command, Option } from 'commander';
import { given } from '../../option-values.js';

export interface FirmwareOptions {
  readonly firmware?: 'bios' | 'uefi';
  readonly secureBoot?: boolean;
  readonly tpm?: boolean;
  readonly watchdog?: (typeof WATCHDOG_ACTIONS)[number];
}

const WATCHDOG_ACTIONS = ['none', 'report', 'reset', 'shutdown', 'poweroff', 'pause', 'inject-nmi'] as const;

export const addFirmwareOptions = (command: Command): Command =>
  command
    .addOption(new Option('--firmware <kind>', 'what starts the guest; default: bios').choices(['bios', 'uefi']))
    .option('--secure-boot', 'start only what is signed; implies --firmware uefi')
    .option('--tpm', 'give it an emulated TPM 2.0')
    .addOption(
      new Option('--watchdog <action>', 'what happens when the guest stops feeding its watchdog').choices(
        WATCHDOG_ACTIONS,
      ),
    );

/** Nothing when nothing was said of it: the server knows the defaults. */
export function firmwareOf({ firmware, secureBoot, tpm, watchdog }: FirmwareOptions) {
  const said = given({
    kind: firmware ?? (secureBoot === true ? ('uefi' as const) : undefined),
    secureBoot,
    tpm: tpm === true ? ('2.0' as const) : undefined,
    watchdog: watchdog === undefined ? undefined : { action: watchdog },
  });
  return Object.keys(said).length === 0 ? undefined : said;
}
