import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A new folder of this test alone, readable by its owner only. Short, so that unix sockets fit below it. */
export const makeScratchFolder = (): { path: string; remove: () => void } => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'kvt-'));
  return { path: folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
};
