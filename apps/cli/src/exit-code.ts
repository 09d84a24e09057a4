import { KvorumError } from '@kvorum/client';
import { CommanderError } from 'commander';
import { Interrupted } from './interrupted.js';

/** What the process exits with, for scripts. Shown by `kvorum --help`. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'done' },
  failed: { code: 1, meaning: 'it was tried and failed' },
  usage: { code: 2, meaning: 'wrong arguments, or the control plane refused their form' },
  notFound: { code: 3, meaning: 'there is no such object' },
  refused: { code: 4, meaning: 'refused: in conflict with the present state, over quota, or no capacity' },
  unreachable: { code: 5, meaning: 'no answer from the control plane or the host; try again later' },
  notAllowed: { code: 6, meaning: 'not logged in, or the token may not do this' },
  interrupted: { code: 130, meaning: 'stopped waiting by Ctrl-C; what was begun goes on' },
} as const;
type Exit = keyof typeof EXIT_CODES;

const EXIT_OF_CODE: Readonly<Record<string, Exit>> = {
  invalid_request: 'usage',
  payload_too_large: 'usage',
  unsupported_media_type: 'usage',
  not_found: 'notFound',
  already_exists: 'refused',
  conflict_state: 'refused',
  idempotency_conflict: 'refused',
  in_use: 'refused',
  precondition_failed: 'refused',
  stale_generation: 'refused',
  quota_exceeded: 'refused',
  no_capacity: 'refused',
  unreachable: 'unreachable',
  unavailable: 'unreachable',
  rate_limited: 'unreachable',
  host_unreachable: 'unreachable',
  unauthenticated: 'notAllowed',
  forbidden: 'notAllowed',
};

/** The exit code an error stands for. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT_CODES.interrupted.code;
  // Commander ends --help and --version with 0 and everything else, all of it about arguments, with 1.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code;
  return EXIT_CODES[error instanceof KvorumError ? (EXIT_OF_CODE[error.code] ?? 'failed') : 'failed'].code;
}

export const exitCodeHelp = (): string =>
  [
    'Exit codes:',
    ...Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`),
  ].join('\n');
