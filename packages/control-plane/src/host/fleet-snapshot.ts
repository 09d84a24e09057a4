import type { Fleet } from '@kvorum/scheduler';

/** The fleet as the scheduler sees it: at most FLEET_MAX_AGE_MS old. The reservation in the database decides races. */
export interface FleetSnapshot {
  /** `fresh`: read the hosts anew before answering, so that a refusal is never based on old numbers. */
  read(age: 'recent' | 'fresh'): Promise<Fleet>;
}
