import type { HostFacts } from '@kvorum/schema';
import type { QemuOptions } from '../qemu/qemu-options.js';
import type { Cgroups } from './cgroups.js';

/** How well this host keeps its VMs apart, for operators: a host without is not wrong, but should be known. */
export function isolationFinding(
  { vmUids, cgroupParent }: Pick<QemuOptions, 'vmUids' | 'cgroupParent'>,
  cgroups: Cgroups | null,
): HostFacts['findings'][number] {
  const limits = cgroups === null ? 'no limits' : `limits by control groups v${cgroups.version}`;
  const remedies = [
    ...(vmUids === null ? ['run the agent as root, so that it can give each VM a user of its own'] : []),
    ...(cgroups === null ? ['let the agent write to the tree of control groups'] : []),
  ];
  return {
    name: 'vm-isolation',
    value: `${vmUids === null ? "all VMs share the agent's user" : 'a user per VM'}; ${limits}`,
    evidence: `${vmUids === null ? 'no user ids for VMs' : `user ids ${vmUids.first} to ${vmUids.first + vmUids.count - 1}`}; control group ${cgroupParent ?? 'none'}`,
    remedy: remedies.length === 0 ? null : remedies.join('; '),
  };
}
