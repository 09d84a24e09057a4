import { DomainError, type Project } from '@kvorum/schema';
import type { Usage } from './project.store.js';

export const QUOTA_AMOUNTS = ['vmCount', 'vcpuCount', 'memoryBytes', 'diskBytes'] as const;

/** The refusal of what a project has not enough quota for, with the figures. */
export function overQuota({ name, quota, used }: Project, needed: Usage): DomainError {
  const short = QUOTA_AMOUNTS.filter((amount) => used[amount] + needed[amount] > quota[amount]);
  const sentence = short.map(
    (amount) => `${amount}: ${used[amount]} of ${quota[amount]} used, ${needed[amount]} needed`,
  );
  return new DomainError('quota_exceeded', `project ${name} has not enough quota (${sentence.join('; ')})`, {
    details: { quota, used, needed, exceeded: short },
  });
}
