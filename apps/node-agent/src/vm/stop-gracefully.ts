import { DomainError } from '@kvorum/schema';
import type { LiveVm } from './live-vm.js';

/** A guest that is still booting misses the first press; ACPI events are cheap. */
const PRESS_AGAIN_MS = 3_000;

export type StopOutcome = 'exited' | 'time-is-up' | 'superseded';

/** Presses the power button, again and again, until the process is gone, the time is up or a newer intent waits. */
export async function stopGracefully(live: LiveVm, untilMs: number, superseded: AbortSignal): Promise<StopOutcome> {
  for (;;) {
    if (live.exit !== null) return 'exited';
    if (superseded.aborted) return 'superseded';
    const remainingMs = untilMs - Date.now();
    if (remainingMs <= 0) return 'time-is-up';
    await press(live);
    await exitOrTime(live, Math.min(remainingMs, PRESS_AGAIN_MS), superseded);
  }
}

async function press(live: LiveVm): Promise<void> {
  live.isEndRequested = true;
  try {
    // A stopped vCPU cannot handle the button.
    if (live.power === 'paused') {
      await live.vm.resume();
      live.power = 'running';
    }
    await live.vm.pressPowerButton();
  } catch (thrown) {
    // Its process just ended, or its monitor fails: then the hard end, which follows, is what helps.
    if (!(thrown instanceof DomainError)) throw thrown;
  }
}

async function exitOrTime(live: LiveVm, timeoutMs: number, superseded: AbortSignal): Promise<void> {
  const { promise, resolve } = deferred();
  const timer = setTimeout(resolve, timeoutMs);
  superseded.addEventListener('abort', resolve, { once: true });
  try {
    // `exited` of LiveVm is set by an earlier subscriber of the same promise.
    await Promise.race([live.vm.exited, promise]);
  } finally {
    clearTimeout(timer);
    superseded.removeEventListener('abort', resolve);
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
