import type { PlacementRequest, SmtPolicy } from '../request/placement-request.js';
import { type Amounts, amountsOf } from './amounts.js';

/** Hardware threads that so many CPUs of its own cost a host: with `isolate`, the idle ones too. */
export function takenCpuCount(cpuCount: number, smt: SmtPolicy, threadsPerCore: number): number {
  if (smt === 'isolate') return cpuCount * threadsPerCore;
  if (smt === 'require') return Math.ceil(cpuCount / threadsPerCore) * threadsPerCore;
  return cpuCount;
}

/** What a host gives up for a VM. */
export function takenAmounts(request: PlacementRequest, threadsPerCore: number): Amounts {
  const { dedicatedCpuCount, smt = 'prefer' } = request;
  if (smt === 'prefer' || dedicatedCpuCount === 0) return request;
  return { ...amountsOf(request), dedicatedCpuCount: takenCpuCount(dedicatedCpuCount, smt, threadsPerCore) };
}
