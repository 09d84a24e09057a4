import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 20;
const GIVE_UP_MS = 20_000;

/** Waits for a condition with a bound. The message names what did not come. */
export async function waitUntil(
  what: string,
  condition: () => Promise<boolean> | boolean,
  giveUpMs = GIVE_UP_MS,
): Promise<void> {
  const giveUpAtMs = performance.now() + giveUpMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) throw new Error(`${what} did not come within ${giveUpMs} ms`);
    await sleep(LOOK_MS);
  }
}
