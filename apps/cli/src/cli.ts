import type { Readable, Writable } from 'node:stream';
import { createKvorumClient, type KvorumClient } from '@kvorum/client';
import type { Command } from 'commander';
import type { CliEnvironment } from './cli-environment.js';
import { EXIT_CODES } from './exit-code.js';
import { Interrupted } from './interrupted.js';
import { type Column, type Field, formatFields, formatTable } from './print-table.js';
import { readLogin } from './stored-login.js';
import { bold } from './terminal-style.js';

/** A stream that may be a terminal, `columns` wide. */
export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Everything of the outside world a command may touch. */
export interface CliIo {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly environment: CliEnvironment;
  /** Calls `listener` at Ctrl-C instead of ending the process, until the function returned is called. */
  onInterrupt(listener: () => void): () => void;
}

/** What a command is given. */
export interface Cli {
  readonly io: CliIo;
  /** A client for the control plane that we are logged in to. */
  connect(): KvorumClient;
  /** One object: its fields for people, or the API's own body as JSON. */
  show<Body>(body: Body, describe: (body: Body) => readonly Field[]): void;
  /** One object that reads best as lines of its own form. */
  showText<Body>(body: Body, format: (body: Body, head: (text: string) => string) => string): void;
  /** A list, in the same way. */
  showPage<Row>(page: { readonly items: readonly Row[] }, columns: readonly Column<Row>[]): void;
  readonly format: 'table' | 'json';
  /** What the process exits with although nothing failed: for commands whose answer may be no. */
  exitCode: number;
  /** A word to the person beside the result, on stderr. */
  note(text: string): void;
  /** Runs what may last, until it is done or Ctrl-C is pressed; then throws Interrupted with `hint`. */
  untilInterrupt<Result>(hint: string, run: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
}

/** Adds one verb to its resource's command. */
export type AddVerb = (parent: Command, cli: Cli) => void;

const JSON_INDENT = 2;

export function openCli(io: CliIo, program: Command): Cli {
  const isColourful = io.stdout.isTTY === true && !io.environment.isColourless;
  const head = (text: string): string => (isColourful ? bold(text) : text);
  const formatOf = (): Cli['format'] => (program.opts()['output'] === 'json' ? 'json' : 'table');
  const printJson = (body: unknown) => io.stdout.write(`${JSON.stringify(body, null, JSON_INDENT)}\n`);
  return {
    io,
    exitCode: EXIT_CODES.ok.code,
    get format() {
      return formatOf();
    },
    connect: () => createKvorumClient(readLogin(io.environment)),
    show: (body, describe) => {
      if (formatOf() === 'json') printJson(body);
      else io.stdout.write(formatFields(describe(body), head));
    },
    showText: (body, format) => {
      if (formatOf() === 'json') printJson(body);
      else io.stdout.write(format(body, head));
    },
    showPage: (page, columns) => {
      if (formatOf() === 'json') printJson(page);
      else io.stdout.write(formatTable(page.items, columns, head));
    },
    note: (text) => {
      io.stderr.write(`${text}\n`);
    },
    untilInterrupt: (hint, run) => untilInterrupt(io, hint, run),
  };
}

async function untilInterrupt<Result>(
  io: CliIo,
  hint: string,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  const forget = io.onInterrupt(() => abort.abort(new Interrupted(hint)));
  try {
    return await run(abort.signal);
  } finally {
    forget();
  }
}
