import type { StopOptions } from '@kvorum/client';
import type { Command } from 'commander';
import { parseDurationMs } from '../../duration.js';
import { usageError } from '../../usage-error.js';

export interface GraceOptions {
  readonly grace?: number;
  readonly force?: boolean;
  readonly wait?: boolean;
}

export const addGraceOptions = (command: Command): Command =>
  command
    .option(
      '--grace <time>',
      'how long the guest may take to shut down, such as 30s; then it is stopped hard',
      parseDurationMs,
    )
    .option('--force', 'stop it hard at once')
    .option('--wait', 'until it is done');

export function graceOf({ grace, force }: GraceOptions): StopOptions {
  if (force === true && grace !== undefined)
    throw usageError('--force and --grace exclude each other', 'Give one of them.');
  if (force === true) return { graceMs: 0 };
  return grace === undefined ? {} : { graceMs: grace };
}
