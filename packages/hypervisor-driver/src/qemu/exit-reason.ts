import { DomainError } from '@kvorum/schema';
import type { VmExit } from '../driver.js';
import { watchdogActionInLog } from '../firmware/watchdog-action.js';

/** Bound of VmExit.detail. */
export const EXIT_DETAIL_BYTES_MAX = 4096;

/** How the process itself ended; null when it was not our child, so that only its parent was told. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface ExitEvidence {
  /** `reason` of QMP's SHUTDOWN event, when a monitor was connected to hear it. */
  readonly shutdownReason: string | null;
  /** The last part of what the process wrote. */
  readonly logTail: string;
  /** The last part of what the guest wrote on its console: hostile text. */
  readonly consoleTail: string;
  readonly isEndRequested: boolean;
  readonly status: ExitStatus | null;
  /** Kills for want of memory in the VM's control group (cgroups.ts). */
  readonly oomKillCount: number;
}

/** ShutdownCause (qapi/run-state.json) in its numeric order, as the trace line in the log shows it. */
const SHUTDOWN_CAUSES = [
  'none',
  'host-error',
  'host-qmp-quit',
  'host-qmp-system-reset',
  'host-signal',
  'host-ui',
  'guest-shutdown',
  'guest-reset',
  'guest-panic',
  'subsystem-reset',
  'snapshot-load',
] as const;

const TRACE_LINE = /^\d+@\d+\.\d+:qemu_system_shutdown_request reason=(\d{1,2})$/gm;
const ANY_TRACE_LINE = /^\d+@\d+\.\d+:(?:qemu_system_shutdown_request|watchdog_perform_action) .*$/gm;

/** The reason QEMU noted on its log (-trace, build-arguments.ts); the first one counts, later ones only repeat. */
export function shutdownReasonInLog(log: string): string | null {
  const [first] = log.matchAll(TRACE_LINE);
  return first === undefined ? null : (SHUTDOWN_CAUSES[Number(first[1])] ?? null);
}

/**
 * Why a run ended. A guest that powers itself off wins over our request that came at the same time; what neither the
 * guest nor we wanted is a crash: a signal from elsewhere, a fault, the out-of-memory killer, a guest panic.
 */
export function deriveExit(evidence: ExitEvidence): VmExit {
  const cause = evidence.shutdownReason ?? shutdownReasonInLog(evidence.logTail);
  const reason = reasonOf(cause, evidence);
  const isUnwanted = reason === 'crash' || reason === 'out-of-memory';
  return { reason, detail: detailOf(cause, evidence, isUnwanted ? consoleLines(evidence.consoleTail) : []) };
}

function reasonOf(cause: string | null, { isEndRequested, oomKillCount, status }: ExitEvidence): VmExit['reason'] {
  if (cause === 'guest-shutdown') return 'guest-shutdown';
  if (isEndRequested || cause === 'host-qmp-quit') return 'requested';
  // The kernel kills with SIGKILL, and QEMU has no time for a reason of its own.
  const isKilled = cause === null && (status === null || status.signal === 'SIGKILL');
  return isKilled && oomKillCount > 0 ? 'out-of-memory' : 'crash';
}

function detailOf(
  cause: string | null,
  { status, logTail, oomKillCount }: ExitEvidence,
  console: readonly string[],
): string {
  const memory = oomKillCount > 0 ? `; out-of-memory kills: ${oomKillCount}` : '';
  const watchdog = watchdogActionInLog(logTail);
  const expired = watchdog === null ? '' : `; the guest's watchdog ran out (${watchdog})`;
  const head = `${statusText(status)}${memory}${expired}; QEMU's reason: ${cause ?? 'none given'}`;
  const lines = logTail.replaceAll(ANY_TRACE_LINE, '').trim();
  const told = [lines, ...console].filter((part) => part !== '');
  return lastBytes([head, ...told].join('\n'), EXIT_DETAIL_BYTES_MAX);
}

const CONSOLE_LINES_MAX = 4;

/** The guest's last lines, marked as its own: it may write what looks like QEMU's. Control characters are taken out. */
const consoleLines = (tail: string): string[] =>
  tail
    .split(/[\r\n]+/)
    .map((line) => line.replaceAll(/\p{Cc}/gu, '').trim())
    .filter((line) => line !== '')
    .slice(-CONSOLE_LINES_MAX)
    .map((line) => `console: ${line}`);

function statusText(status: ExitStatus | null): string {
  if (status === null) return 'exit status unknown: an earlier agent had started it';
  return status.signal === null ? `exit code ${status.code}` : `ended by ${status.signal}`;
}

/** Keeps the head line and the end: the last words of a failing process say most. */
function lastBytes(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const newline = text.indexOf('\n') + 1;
  const head = text.slice(0, newline);
  const tail = Buffer.from(text.slice(newline));
  // A character cut in half at the front would decode to U+FFFD, which is longer than what was cut.
  const kept = tail.subarray(tail.length - (bytesMax - Buffer.byteLength(head))).toString('utf8');
  return head + kept.replace(/^\uFFFD+/, '');
}

/** What everything that is asked of a VM throws when its process is gone. */
export const guestFault = (exit: VmExit): DomainError =>
  new DomainError('guest_fault', `the VM's process has ended: ${exit.reason}`, { details: { exit: { ...exit } } });
