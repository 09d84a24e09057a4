import type { ExitEvidence } from './exit-reason.js';
import { EXIT_DETAIL_BYTES_MAX } from './exit-reason.js';
import { readTail } from './read-tail.js';
import type { RunFolder } from './run-folder.js';

/** A panic's last lines: enough for its reason, little enough to leave room for the process's own words. */
const CONSOLE_BYTES_MAX = 512;

/** What process and guest wrote last; empty where nothing can be read any more. */
export async function readLastWords(folder: RunFolder): Promise<Pick<ExitEvidence, 'logTail' | 'consoleTail'>> {
  const read = (path: string, bytesMax: number): Promise<string> => readTail(path, bytesMax).catch(() => '');
  const [logTail, consoleTail] = await Promise.all([
    read(folder.processLog, EXIT_DETAIL_BYTES_MAX),
    read(folder.consoleLog, CONSOLE_BYTES_MAX),
  ]);
  return { logTail, consoleTail };
}
