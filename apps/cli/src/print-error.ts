import { KvorumError } from '@kvorum/client';
import { CommanderError } from 'commander';
import type { CliIo } from './cli.js';
import { Interrupted } from './interrupted.js';
import { printable } from './printable.js';
import { red } from './terminal-style.js';

/** What a person reads when something failed: what, which fields, what to do, and what the log calls the request. */
export function printError(io: CliIo, error: unknown): void {
  // Commander has said its own part already.
  if (error instanceof CommanderError) return;
  if (error instanceof Interrupted) {
    io.stderr.write(`\n${error.hint}\n`);
    return;
  }
  const isColourful = io.stderr.isTTY === true && !io.environment.isColourless;
  const label = isColourful ? red('error:') : 'error:';
  io.stderr.write(
    linesOf(error, label)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

function linesOf(error: unknown, label: string): readonly string[] {
  if (!(error instanceof KvorumError)) {
    return [`${label} ${printable(error instanceof Error ? error.message : String(error))}`];
  }
  const operationId = error.details['operationId'];
  const placementId = error.details['placementId'];
  return [
    `${label} ${printable(error.detail)} (${error.code})`,
    // A single field is usually the whole message already.
    ...error.errors
      .map(({ field, message }) => `${field}: ${message}`)
      .filter((line) => !error.detail.includes(line))
      .map((line) => `  ${printable(line)}`),
    ...(error.remedy === '' ? [] : [`remedy: ${printable(error.remedy)}`]),
    ...(typeof operationId === 'string' ? [`operation: ${printable(operationId)}`] : []),
    ...(typeof placementId === 'string' ? [`explained by: kvorum placement get ${printable(placementId)}`] : []),
    ...(error.requestId === null ? [] : [`request: ${printable(error.requestId)}`]),
  ];
}
