import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DomainError, type HostFinding } from '@kvorum/schema';
import type { z } from 'zod';

const run = promisify(execFile);
const PROGRAM = 'xorriso';
const SEARCH_PATH = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Some 100 KiB are written in 50 ms. */
const RUN_MS_MAX = 30_000;
const WORDS_LENGTH_MAX = 500;
const REMEDY = 'install the package xorriso for VMs with cloud-init';

async function findTool(): Promise<string | null> {
  for (const folder of SEARCH_PATH) {
    const file = join(folder, PROGRAM);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return null;
}

/** Whether this host can make seed disks, for whoever looks at it. */
export async function probeSeedTool(): Promise<{ seedDisks: boolean; finding: z.infer<typeof HostFinding> }> {
  const tool = await findTool();
  const evidence = tool ?? `no ${PROGRAM} in ${SEARCH_PATH.join(', ')}`;
  const value = tool === null ? 'none' : 'seed disks';
  const finding = { name: 'cloud-init', value, evidence, remedy: tool === null ? REMEDY : null };
  return { seedDisks: tool !== null, finding };
}

/** Writes what lies in `folder` to an ISO 9660 image with the label by which cloud-init finds it. Throws `host_fault`. */
export async function writeSeedImage(folder: string, file: string): Promise<void> {
  const tool = await findTool();
  if (tool === null) throw new DomainError('host_fault', `a seed disk cannot be made: ${REMEDY}`);
  // -no_rc: whatever settings the user of the agent has for it elsewhere.
  const options = ['-no_rc', '-as', 'mkisofs', '-quiet', '-rational-rock', '-joliet', '-volid', 'cidata'];
  await run(tool, [...options, '-output', file, folder], { timeout: RUN_MS_MAX, killSignal: 'SIGKILL' }).catch(
    (cause) => {
      const words = (String(cause.stderr ?? '').trim() || String(cause.message)).slice(0, WORDS_LENGTH_MAX);
      throw new DomainError('host_fault', `a seed disk cannot be made: ${PROGRAM}: ${words}`, { cause });
    },
  );
}
