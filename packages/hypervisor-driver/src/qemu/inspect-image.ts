import { DomainError } from '@kvorum/schema';
import { runTool } from '../process/run-tool.js';
import { readQcow2Header } from './qcow2-header.js';

export interface ImageFacts {
  readonly virtualSizeBytes: number;
  readonly backingFile: string | null;
}

export interface QemuImg {
  readonly path: string;
  readonly timeoutMs: number;
}

/**
 * Facts of a base image that tenants may have made: it must be qcow2 and whole in itself. The header is read by our own
 * code first; only what passes is shown to qemu-img, which checks the tables that follow. `image_invalid` otherwise.
 */
export async function inspectBaseImage(qemuImg: QemuImg, path: string): Promise<ImageFacts> {
  const header = await readQcow2Header(path);
  if (header.backingFile !== null) throw unusable('has a backing file');
  if (header.hasExternalDataFile) throw unusable('keeps its data in another file');
  if (header.isEncrypted) throw unusable('is encrypted');
  if (header.isCorrupt) throw unusable('is marked as corrupt');
  const facts = await readInfo(qemuImg, path);
  if (facts.backingFile !== null) throw unusable('has a backing file');
  return facts;
}

/** Facts of a disk that we made ourselves. */
export async function inspectOverlay(qemuImg: QemuImg, path: string): Promise<ImageFacts> {
  const header = await readQcow2Header(path);
  if (header.hasExternalDataFile) throw unusable('keeps its data in another file');
  return readInfo(qemuImg, path);
}

/**
 * `file:` keeps qemu-img from reading a protocol out of the name, `--` from reading an option, `-f` from probing.
 * -U reads beside a VM that has the file open.
 */
async function readInfo(qemuImg: QemuImg, path: string): Promise<ImageFacts> {
  const args = ['info', '--output=json', '-U', '-f', 'qcow2', '--', `file:${path}`];
  const { stdout } = await runTool(qemuImg.path, args, qemuImg.timeoutMs).catch((thrown: unknown) => {
    if (thrown instanceof DomainError && thrown.code === 'host_fault') {
      throw new DomainError('image_invalid', `the image is not usable: ${thrown.message}`, { cause: thrown });
    }
    throw thrown;
  });
  return parseImageInfo(stdout);
}

/** Pure: the part of `qemu-img info --output=json` that decides. */
export function parseImageInfo(text: string): ImageFacts {
  let info: Record<string, unknown>;
  try {
    info = JSON.parse(text) as Record<string, unknown>;
  } catch (thrown) {
    throw new DomainError('host_fault', 'qemu-img info gave no JSON', { cause: thrown });
  }
  const { format, 'virtual-size': size, 'backing-filename': backing, 'format-specific': specific } = info;
  if (format !== 'qcow2' || typeof size !== 'number' || !Number.isSafeInteger(size)) {
    throw unusable('is not qcow2 as qemu-img sees it');
  }
  const data = (specific as { data?: Record<string, unknown> } | undefined)?.data ?? {};
  if (data['data-file'] !== undefined) throw unusable('keeps its data in another file');
  if (data['corrupt'] === true) throw unusable('is marked as corrupt');
  return { virtualSizeBytes: size, backingFile: typeof backing === 'string' ? backing : null };
}

const unusable = (what: string): DomainError => new DomainError('image_invalid', `the image ${what}`);
