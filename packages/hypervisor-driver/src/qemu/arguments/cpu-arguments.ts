import { featuresOfLevel, levelOfModel } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import { options, pairs } from '../option-string.js';

/** What the driver knows of its processor that a launch does not say. */
export interface CpuPlan {
  /** Taken from whatever model: no guest with them starts on this host (query-cpu-support.ts). */
  readonly withheldFeatures: readonly string[];
  /** VT-x or AMD-V, as guests are given it; null: they cannot be. */
  readonly nestingFeature: 'vmx' | 'svm' | null;
}

/** What of a launch decides about the processor. */
export type CpuLaunch = Pick<LaunchSpec, 'vcpuCount' | 'accelerator' | 'hardware'>;

export const PLAIN_CPU: CpuPlan = { withheldFeatures: [], nestingFeature: null };

/** The processor a guest sees: its model, and how its vCPUs form sockets, cores and threads. */
export const cpuArguments = (launch: CpuLaunch, plan: CpuPlan): string[] => [
  '-cpu',
  model(launch, plan),
  '-smp',
  topology(launch),
];

type Features = Record<string, 'on' | 'off'>;

/** Models without a name of QEMU's stand on this one: 64-bit, and below every processor in use. */
const LEVEL_BASE = 'qemu64-v1';

function model({ hardware, accelerator }: CpuLaunch, plan: CpuPlan): string {
  const name = hardware.cpu.model ?? (accelerator === 'kvm' ? 'host' : 'max');
  const others = { ...features(plan.withheldFeatures, 'off'), ...nesting(hardware.cpu.nestedVirtualisation, plan) };
  if (name === 'host') return options(name, others);
  // la57 off: five-level paging makes every emulated page walk a fifth longer, for address space nobody has.
  if (name === 'max') return options(name, { la57: 'off', ...others });
  // enforce: QEMU ends instead of leaving out what the processor lacks. A model is what its name says, on each host.
  const level = levelOfModel(name);
  if (level === null) return options(name, { ...others, enforce: 'on' });
  return options(LEVEL_BASE, { ...features(featuresOfLevel(level), 'on'), ...others, enforce: 'on' });
}

const features = (names: readonly string[], value: 'on' | 'off'): Features =>
  Object.fromEntries(names.map((name) => [name, value]));

/** Both are taken away unless asked for, also from `host`: what a guest has of them has to move with it one day. */
function nesting(isAsked: boolean, { nestingFeature }: CpuPlan): Features {
  const off: Features = { vmx: 'off', svm: 'off' };
  return isAsked && nestingFeature !== null ? { ...off, [nestingFeature]: 'on' } : off;
}

/** Where vCPUs can be added while it runs, the guest sees the places of all of them as cores of one socket. */
function topology({ vcpuCount, hardware }: CpuLaunch): string {
  const places = Math.max(vcpuCount, hardware.devices.maxVcpuCount ?? 0);
  const max = places === vcpuCount ? {} : { maxcpus: places };
  const { sockets, cores, threads } = hardware.cpu.topology ?? { sockets: 1, cores: places, threads: 1 };
  return pairs({ cpus: vcpuCount, ...max, sockets, cores, threads }).join(',');
}
