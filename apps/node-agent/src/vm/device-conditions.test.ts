import { describe, expect, it } from 'vitest';
import { DeviceConditions, PAUSE_SHOWN_MS, WATCHDOG_SHOWN_MS } from './device-conditions.js';

describe('a watchdog that ran out', () => {
  it.each([
    ['reset', WATCHDOG_SHOWN_MS],
    ['pause', PAUSE_SHOWN_MS],
  ] as const)('with the action %s is shown until the guest has run for %i ms', (action, shownMs) => {
    const devices = new DeviceConditions();
    devices.hear({ kind: 'watchdog-expired', action }, 1_000);
    devices.settle('paused', 1_000 + 2 * shownMs);
    devices.settle('running', 999 + shownMs);
    expect(devices.conditions).toMatchObject([{ kind: 'watchdog-expired', sinceMs: 1_000 }]);
    devices.settle('running', 1_000 + shownMs);
    expect(devices.conditions).toEqual([]);
  });

  it('again is the same trouble, shown for longer', () => {
    const devices = new DeviceConditions();
    devices.hear({ kind: 'watchdog-expired', action: 'reset' }, 1_000);
    devices.hear({ kind: 'watchdog-expired', action: 'reset' }, 5_000);
    devices.settle('running', 1_000 + WATCHDOG_SHOWN_MS);
    expect(devices.conditions).toMatchObject([{ sinceMs: 1_000 }]);
  });
});
