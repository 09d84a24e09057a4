import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { DomainError } from '@kvorum/schema';

/** `qemu-img info` of a deep image is some KiB; more is not an answer we could use. */
const OUTPUT_BYTES_MAX = 1024 * 1024;
const MESSAGE_LENGTH_MAX = 2048;
/** Tools are named by full path; the search path serves what they start themselves. LANG keeps messages in English. */
export const TOOL_ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' } as const;

export interface ToolOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a host tool without a shell. Throws `deadline_exceeded` after the time limit (it is killed then) and `host_fault`
 * with the tool's own words for any other failure.
 */
export function runTool(path: string, args: readonly string[], timeoutMs: number): Promise<ToolOutput> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      path,
      args,
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES_MAX, env: TOOL_ENVIRONMENT },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, stderr });
        const tool = basename(path);
        if (child.signalCode === 'SIGKILL') {
          return reject(new DomainError('deadline_exceeded', `${tool} did not end within ${timeoutMs} ms`));
        }
        const words = (stderr.trim() || error.message).slice(0, MESSAGE_LENGTH_MAX);
        reject(new DomainError('host_fault', `${tool} failed: ${words}`, { cause: error }));
      },
    );
    child.stdin?.end();
  });
}
