import { existsSync } from 'node:fs';
import type { HostFacts } from '@kvorum/schema';
import type { QemuOptions } from '../qemu/qemu-options.js';
import { isOvmfThere } from './ovmf.js';

type Finding = HostFacts['findings'][number];

/** Which options of a VM's firmware this host can serve. One that it cannot is no fault: few VMs ask for it. */
export function firmwareFindings({ ovmfFolder, swtpmPath }: Pick<QemuOptions, 'ovmfFolder' | 'swtpmPath'>): Finding[] {
  const [hasUefi, hasSecureBoot] = [isOvmfThere(ovmfFolder, false), isOvmfThere(ovmfFolder, true)];
  const kinds = [...(hasUefi ? ['uefi'] : []), ...(hasSecureBoot ? ['secure-boot'] : [])];
  const hasTpm = existsSync(swtpmPath);
  return [
    {
      name: 'uefi',
      value: kinds.length === 0 ? 'absent' : kinds.join(', '),
      evidence: `OVMF_CODE_4M and OVMF_VARS_4M in ${ovmfFolder}`,
      remedy: kinds.length === 2 ? null : 'Install the package ovmf: VMs with UEFI cannot start here.',
    },
    {
      name: 'tpm-emulator',
      value: hasTpm ? 'swtpm' : 'absent',
      evidence: swtpmPath,
      remedy: hasTpm ? null : 'Install the package swtpm: VMs with a TPM cannot start here.',
    },
  ];
}
