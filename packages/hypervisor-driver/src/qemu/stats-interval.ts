import { DomainError } from '@kvorum/schema';

/** QEMU's timer takes more; statistics that are older than an hour are of no use to anybody. */
const STATS_INTERVAL_S_MAX = 3600;

/** Both drivers refuse the same intervals. Throws `invalid_request`. 0 would end the polling, which nobody asks for. */
export function assertStatsInterval(intervalS: number): void {
  if (Number.isInteger(intervalS) && intervalS >= 1 && intervalS <= STATS_INTERVAL_S_MAX) return;
  throw new DomainError('invalid_request', `intervalS is not within 1 to ${STATS_INTERVAL_S_MAX} seconds`);
}
