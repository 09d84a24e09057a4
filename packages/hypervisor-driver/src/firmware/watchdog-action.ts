import type { WatchdogAction } from '@kvorum/schema';

/** qapi/run-state.json, WatchdogAction, in the words of VmFirmware and in QEMU's numeric order. */
const ACTIONS = {
  reset: 'reset',
  shutdown: 'shutdown',
  poweroff: 'poweroff',
  pause: 'pause',
  debug: null,
  none: 'report',
  'inject-nmi': 'inject-nmi',
} as const satisfies Record<string, Exclude<WatchdogAction, 'none'> | null>;

/** What `action` of QEMU's WATCHDOG event means; null for what Kvorum never asks for. */
export const watchdogAction = (qemuAction: unknown): Exclude<WatchdogAction, 'none'> | null =>
  typeof qemuAction === 'string' && qemuAction in ACTIONS ? ACTIONS[qemuAction as keyof typeof ACTIONS] : null;

/** QEMU's word for an action. */
export const qemuWatchdogAction = (action: Exclude<WatchdogAction, 'none'>): string =>
  action === 'report' ? 'none' : action;

const TRACE_LINE = /^\d+@\d+\.\d+:watchdog_perform_action action=(\d)$/gm;

/** The last action in QEMU's log (-trace, firmware-arguments.ts), or null: the watchdog never ran out. */
export function watchdogActionInLog(log: string): Exclude<WatchdogAction, 'none'> | null {
  const last = [...log.matchAll(TRACE_LINE)].at(-1);
  return last === undefined ? null : watchdogAction(Object.keys(ACTIONS)[Number(last[1])]);
}
