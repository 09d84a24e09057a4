export interface CpuInfo {
  readonly vendor: string;
  readonly model: string;
  readonly cpuCount: number;
  /** Only flags about virtualisation, in the order of VIRTUALISATION_RELATED. */
  readonly flags: readonly string[];
  /** Revision as the kernel spells it, such as 0xd0003a5; null where there is no such line. */
  readonly microcode: string | null;
}

/**
 * arch/x86/include/asm/cpufeatures.h and vmxfeatures.h: what decides whether and how well guests run here. `hypervisor`
 * means that this host is itself a guest.
 */
const VIRTUALISATION_RELATED = [
  'vmx',
  'svm',
  'hypervisor',
  'ept',
  'ept_ad',
  'vpid',
  'flexpriority',
  'tpr_shadow',
  'vnmi',
  'npt',
  'nrip_save',
  'avic',
  'v_vmsave_vmload',
  'vgif',
  'x2apic',
  'tsc_deadline_timer',
  'constant_tsc',
  'nonstop_tsc',
  'sev',
  'sev_es',
  'sev_snp',
  'sgx',
] as const;

/** Reads /proc/cpuinfo (Documentation/arch/x86/cpuinfo.rst). All CPUs of a host are alike: the first one speaks for all. */
export function parseCpuinfo(text: string): CpuInfo {
  const first = new Map<string, string>();
  let cpuCount = 0;
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const key = line.slice(0, colon).trim();
    if (key === 'processor') cpuCount += 1;
    if (!first.has(key)) first.set(key, line.slice(colon + 1).trim());
  }
  // "vmx flags" is a line of its own since Linux 5.6; ept and vpid are there and not among "flags".
  const present = new Set(`${first.get('flags') ?? ''} ${first.get('vmx flags') ?? ''}`.split(' '));
  return {
    vendor: first.get('vendor_id') ?? 'unknown',
    model: first.get('model name') ?? 'unknown',
    cpuCount,
    flags: VIRTUALISATION_RELATED.filter((flag) => present.has(flag)),
    microcode: first.get('microcode') ?? null,
  };
}
