import { rm } from 'node:fs/promises';
import { DomainError, GIB } from '@kvorum/schema';
import { endTool, type ToolRun } from './image-tool.js';
import type { CopyOut } from './storage-pool.js';

/** What a broken file of 1 TiB of 64 KiB clusters has qemu-img take. */
const ADDRESS_SPACE_BYTES_MAX = 4 * GIB;

export interface CopySource {
  readonly qemuImgPath: string;
  /** For `qemu-img convert`: options, and then the name. */
  readonly arguments: readonly string[];
  /** Its tables were written by a VM's process, which may have been taken over. */
  readonly isParsed: boolean;
}

/**
 * Layers, the topmost first: each is named, so that no header is followed. `-U`: without QEMU's locks, which would keep VMs from
 * merging what lies under them; such a merge changes nothing that is seen here.
 */
export function layersAsSource(qemuImgPath: string, paths: readonly string[]): CopySource {
  const node = paths.reduceRight<object | null>(
    (backing, filename) => ({ driver: 'qcow2', file: { driver: 'file', filename }, backing }),
    null,
  );
  return { qemuImgPath, arguments: ['-U', '--', `json:${JSON.stringify(node)}`], isParsed: true };
}

/** As a qcow2 file that rests on nothing. Leaves no file when it throws; `no_capacity` also for one that would be too large. */
export async function runCopyOut(source: CopySource, { path, bytesMax }: CopyOut, run: ToolRun): Promise<void> {
  const limits = [
    ...(source.isParsed ? [`--as=${ADDRESS_SPACE_BYTES_MAX}`] : []),
    `--cpu=${Math.ceil(run.timeoutMs / 1000)}`,
    `--fsize=${bytesMax}`,
    '--core=0',
  ];
  const convert = [source.qemuImgPath, 'convert', '-p', '-O', 'qcow2', ...source.arguments, path];
  let isWhole = false;
  try {
    const { exitCode, words } = await endTool(['prlimit', ...limits, '--', ...convert], run);
    isWhole = exitCode === 0;
    if (isWhole) return;
    if (/No space left on device|Disk quota exceeded|File too large/.test(words)) {
      throw new DomainError('no_capacity', 'the host has no room for the content of the volume', {
        details: { bytesMax },
      });
    }
    throw new DomainError('host_fault', `the volume cannot be read: ${words || `exit code ${exitCode}`}`);
  } finally {
    if (!isWhole) await rm(path, { force: true });
  }
}
