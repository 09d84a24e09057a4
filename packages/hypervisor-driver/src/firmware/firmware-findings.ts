import { existsSync } from 'node:fs';
import type { HostFacts } from '@kvorum/schema';
import type { QemuOptions } from '../qemu/qemu-options.js';
import { isOvmfThere } from './ovmf.js';

type Finding = HostFacts['findings'][number];

type Support = NonNullable<HostFacts['firmware']>;

/** Which options of a VM's firmware this host can serve now: the files are looked for each time. */
export const firmwareSupport = ({ ovmfFolder, swtpmPath }: Pick<QemuOptions, 'ovmfFolder' | 'swtpmPath'>): Support => ({
  uefi: isOvmfThere(ovmfFolder, false),
  secureBoot: isOvmfThere(ovmfFolder, true),
  tpm: existsSync(swtpmPath),
});

/** The same for people. What a host cannot serve is no fault: few VMs ask for it. */
export function firmwareFindings(
  { uefi, secureBoot, tpm }: Support,
  { ovmfFolder, swtpmPath }: Pick<QemuOptions, 'ovmfFolder' | 'swtpmPath'>,
): Finding[] {
  const kinds = [...(uefi ? ['uefi'] : []), ...(secureBoot ? ['secure-boot'] : [])];
  return [
    {
      name: 'uefi',
      value: kinds.length === 0 ? 'absent' : kinds.join(', '),
      evidence: `OVMF_CODE_4M and OVMF_VARS_4M in ${ovmfFolder}`,
      remedy: kinds.length === 2 ? null : 'Install the package ovmf: until then no VM with UEFI is placed here.',
    },
    {
      name: 'tpm-emulator',
      value: tpm ? 'swtpm' : 'absent',
      evidence: swtpmPath,
      remedy: tpm ? null : 'Install the package swtpm: until then no VM with a TPM is placed here.',
    },
  ];
}
