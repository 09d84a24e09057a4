/**
 * What is wrong with a VM at this moment, for people to see. It goes away by itself when it is over.
 *   hung               its process lives, but its monitor does not answer or cannot be reached
 *   disk-full          it stands still because its disk could not grow; it goes on when there is space again
 *   disk-failing       it stands still because its disk could not be written
 *   watchdog-expired   its guest stopped feeding its watchdog; it goes away when the guest has run well for a while
 *   tpm-lost           the process of its TPM has ended; it has one again after its next start
 *   cpu-drift          threads of it may run where they were not promised to; the next audit puts them back
 *   monitor-socket-lost  somebody removed the socket of its monitor: it is well, and the next agent could only end it
 *   identity-stale     a fork whose clock or random numbers are still the template's, as its guest agent did not renew them
 *   unexamined         this agent could not find out whether its process runs; it tries again
 *   record-unreadable  what the host remembers of it cannot be understood; it is left untouched until a person repairs it
 */
export interface VmCondition {
  readonly kind:
    | 'hung'
    | 'disk-full'
    | 'disk-failing'
    | 'cpu-drift'
    | 'watchdog-expired'
    | 'tpm-lost'
    | 'monitor-socket-lost'
    | 'identity-stale'
    | 'unexamined'
    | 'record-unreadable';
  /** Unix ms; as this agent saw it. */
  readonly sinceMs: number;
  readonly detail: string;
}
