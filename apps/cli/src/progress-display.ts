// Named here, so that compilations that begin at a test find it too.
/// <reference path="./cli-progress.d.ts" />
import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';
import { printable } from './printable.js';

export interface ProgressUpdate {
  /** Between 0 and 1. */
  readonly fraction: number;
  readonly text: string;
  /** Without a terminal, a line is written whenever this changes. */
  readonly milestone: string;
}

export interface ProgressDisplay {
  update(now: ProgressUpdate): void;
  close(): void;
}

const BAR_TOTAL = 100;
const BAR_WIDTH = 24;

/** A bar that is redrawn on a terminal; elsewhere a line per milestone, so that logs stay readable. */
export const openProgress = (stream: Writable & { readonly isTTY?: boolean }, title: string): ProgressDisplay =>
  stream.isTTY === true ? barOn(stream, title) : linesOn(stream, title);

function barOn(stream: Writable, title: string): ProgressDisplay {
  const bar = new SingleBar({
    stream,
    format: `${title} [{bar}] {percentage}% {text}`,
    hideCursor: true,
    clearOnComplete: false,
    barsize: BAR_WIDTH,
  });
  let isStarted = false;
  return {
    update: ({ fraction, text }) => {
      if (!isStarted) bar.start(BAR_TOTAL, 0, { text: '' });
      isStarted = true;
      bar.update(Math.floor(fraction * BAR_TOTAL), { text: printable(text) });
    },
    close: () => {
      if (isStarted) bar.stop();
    },
  };
}

function linesOn(stream: Writable, title: string): ProgressDisplay {
  let written: string | null = null;
  return {
    update: ({ text, milestone }) => {
      if (milestone === written) return;
      written = milestone;
      stream.write(`${title}: ${printable(text)}\n`);
    },
    close: () => undefined,
  };
}
