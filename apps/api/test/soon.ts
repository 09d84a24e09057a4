import { expect } from 'vitest';

/** Generous, for machines that do other things too: it costs nothing when the condition holds. */
const WITHIN_MS = 20_000;

/** Waits until what is read fulfils the expectation that follows. */
export const soon = <Value>(read: () => Value) => expect.poll(read, { timeout: WITHIN_MS, interval: 20 });
