import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type GuestRun, TEST_GUEST_PLAN } from './test-guest-plan.js';

/** 40 to 120 ms are usual, nearly all of it Node's start; the rest is room for a host under load. */
export const TEST_GUEST_TIMEOUT_MS = 5_000;
const OUTPUT_BYTES_MAX = 64 * 1024;
const PROGRAM = fileURLToPath(new URL('./test-guest.mjs', import.meta.url));

export type TestGuestResult =
  | ({ readonly kind: 'ran' } & GuestRun)
  | { readonly kind: 'failed'; readonly reason: string };

/** Runs the test guest in a process of its own, which is killed when the time is over. Never throws, never hangs. */
export function runTestGuest(
  timeoutMs = TEST_GUEST_TIMEOUT_MS,
  plan: unknown = TEST_GUEST_PLAN,
): Promise<TestGuestResult> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [PROGRAM],
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES_MAX, env: {} },
      (error, stdout) => {
        if (child.signalCode === 'SIGKILL') {
          resolve({ kind: 'failed', reason: `the test guest did not end within ${timeoutMs} ms` });
        } else {
          resolve(
            readResult(stdout) ?? { kind: 'failed', reason: `the test guest's process failed: ${error?.message}` },
          );
        }
      },
    );
    // EPIPE when the process died first: its end says more than the pipe's.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(JSON.stringify(plan));
  });
}

function readResult(stdout: string): TestGuestResult | null {
  try {
    const result: Partial<GuestRun> & { failure?: string } = JSON.parse(stdout);
    const { exits, answer } = result;
    if (exits !== undefined && answer !== undefined) return { kind: 'ran', exits, answer };
    return result.failure === undefined ? null : { kind: 'failed', reason: result.failure };
  } catch {
    return null;
  }
}
