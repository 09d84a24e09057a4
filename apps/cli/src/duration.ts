import { InvalidArgumentError } from 'commander';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MS_PER_SECOND = 1000;

/** Milliseconds of "500ms", "30s", "5m", "1h" or "7d". A bare number is refused: seconds or milliseconds? */
export function parseDurationMs(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text.trim());
  const ms = Number(match?.[1]) * (UNIT_MS[match?.[2] ?? ''] ?? Number.NaN);
  if (!Number.isSafeInteger(ms)) throw new InvalidArgumentError('Give a time such as 500ms, 30s, 5m, 1h or 7d.');
  return ms;
}

/** As parseDurationMs, in whole seconds. */
export function parseDurationSeconds(text: string): number {
  const ms = parseDurationMs(text);
  if (ms % MS_PER_SECOND !== 0) throw new InvalidArgumentError('Give whole seconds.');
  return ms / MS_PER_SECOND;
}
