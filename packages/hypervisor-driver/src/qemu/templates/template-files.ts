import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Accelerator, DomainError, isMachineType, MIB, VmHardware } from '@kvorum/schema';
import { runTool } from '../../process/run-tool.js';
import type { TemplateFacts } from '../../template-port.js';
import { syncPath } from '../ensure-disk.js';

/** SHA-256 without help of the processor reads 200 MiB/s and more; below a quarter of that the disk is the trouble. */
const DIGEST_BYTES_PER_MS = (50 * MIB) / 1000;
const DIGEST_TIMEOUT_MS_MIN = 60_000;
/** st_blocks counts in 512 bytes whatever the file system's block size is, stat(2). */
const STAT_BLOCK_BYTES = 512;

const FILE_NAMES = ['memory', 'state', 'disk'] as const;
type FileName = (typeof FILE_NAMES)[number];

/**
 * A template on the disk. Memory and state, where a guest's secrets lie, are in a folder that only root enters: a fork is handed
 * them open. The disk is opened by its path, as all that disks rest on. The manifest is written last.
 */
export const templateFiles = (folder: string) => ({
  folder,
  sealed: join(folder, 'sealed'),
  memory: join(folder, 'sealed', 'memory'),
  state: join(folder, 'sealed', 'state'),
  disk: join(folder, 'disk.qcow2'),
  manifest: join(folder, 'manifest.json'),
});
export type TemplateFiles = ReturnType<typeof templateFiles>;

/** Of one file. As long as `ino` and `changedNs` are what they were, nobody wrote to it: the kernel alone sets that time. */
interface Seal {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly inode: string;
  readonly changedNs: string;
}

export interface Manifest extends Omit<TemplateFacts, 'diskPath'> {
  readonly version: 1;
  readonly seals: Readonly<Record<FileName, Seal>>;
}

/** Null: there is no whole template. Throws `host_fault` for a manifest that cannot be understood. */
export async function readManifest(folder: string): Promise<Manifest | null> {
  const { manifest } = templateFiles(folder);
  const text = await readFile(manifest, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return null;
    throw new DomainError('host_fault', `the template cannot be read: ${thrown.message}`, { cause: thrown });
  });
  if (text === null) return null;
  const value = parsed(text);
  if (value !== null && isManifest(value)) return value;
  throw new DomainError('host_fault', `the manifest of the template ${manifest} cannot be understood`);
}

export const factsOf = (folder: string, { version: _version, seals: _seals, ...facts }: Manifest): TemplateFacts => ({
  ...facts,
  diskPath: templateFiles(folder).disk,
});

/** Digests of files that nobody writes to any more, and what they take. Syncs them. */
export async function sealFiles(files: TemplateFiles): Promise<Pick<Manifest, 'seals' | 'occupiedBytes'>> {
  const seals: Partial<Record<FileName, Seal>> = {};
  let occupiedBytes = 0;
  for (const name of FILE_NAMES) {
    await syncPath(files[name]);
    const { blocks } = await stat(files[name]);
    occupiedBytes += blocks * STAT_BLOCK_BYTES;
    seals[name] = { sha256: await digestOf(files[name]), ...(await stampOf(files[name])) };
  }
  return { seals: seals as Manifest['seals'], occupiedBytes };
}

/**
 * Throws `checksum_mismatch` when a file is not what was frozen. What the kernel says was not touched since is not read again,
 * so that a fork takes no longer for a large memory; what was touched, if only by a restored backup, is.
 */
export async function verifyTemplate(folder: string, manifest: Manifest): Promise<void> {
  const files = templateFiles(folder);
  const seals = { ...manifest.seals };
  for (const name of FILE_NAMES) {
    const seal = seals[name];
    const stamp = await stampOf(files[name]).catch((cause: Error) => {
      throw new DomainError('checksum_mismatch', `the ${name} of the template cannot be read: ${cause.message}`, {
        cause,
      });
    });
    if (isSameStamp(stamp, seal)) continue;
    if (stamp.sizeBytes !== seal.sizeBytes || (await digestOf(files[name])) !== seal.sha256) {
      throw new DomainError(
        'checksum_mismatch',
        `the ${name} of the template is not what was frozen: remove the template`,
      );
    }
    seals[name] = { ...seal, ...stamp };
  }
  const isTouched = FILE_NAMES.some((name) => seals[name] !== manifest.seals[name]);
  if (isTouched) await writeManifest(folder, { ...manifest, seals });
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = templateFiles(folder).manifest;
  const temporary = `${path}.partial`;
  await writeFile(temporary, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  await syncPath(temporary);
  await rename(temporary, path);
  await syncPath(folder);
}

async function digestOf(path: string): Promise<string> {
  const { size } = await stat(path);
  const timeoutMs = DIGEST_TIMEOUT_MS_MIN + Math.ceil(size / DIGEST_BYTES_PER_MS);
  // A process of its own: this one has VMs to look after meanwhile.
  const { stdout } = await runTool('/usr/bin/sha256sum', ['--', path], timeoutMs);
  return stdout.split(' ', 1)[0]?.replace('\\', '') ?? '';
}

async function stampOf(path: string): Promise<Omit<Seal, 'sha256'>> {
  const { size, ino, ctimeNs } = await stat(path, { bigint: true });
  return { sizeBytes: Number(size), inode: String(ino), changedNs: String(ctimeNs) };
}

const isSameStamp = (stamp: Omit<Seal, 'sha256'>, seal: Seal): boolean =>
  stamp.inode === seal.inode && stamp.changedNs === seal.changedNs && stamp.sizeBytes === seal.sizeBytes;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isManifest(value: unknown): value is Manifest {
  const manifest = value as Partial<Manifest>;
  const { vcpuCount, memoryBytes, rootDiskBytes, occupiedBytes } = manifest;
  return (
    manifest.version === 1 &&
    typeof manifest.templateId === 'string' &&
    [vcpuCount, memoryBytes, rootDiskBytes, occupiedBytes].every((count) => Number.isSafeInteger(count)) &&
    typeof manifest.hasSeedDisk === 'boolean' &&
    Array.isArray(manifest.basePaths) &&
    manifest.basePaths.every((path) => typeof path === 'string') &&
    Accelerator.safeParse(manifest.accelerator).success &&
    typeof manifest.machineType === 'string' &&
    isMachineType(manifest.machineType) &&
    VmHardware.safeParse(manifest.hardware).success &&
    FILE_NAMES.every((name) => isSeal(manifest.seals?.[name]))
  );
}

const isSeal = (seal: Seal | undefined): boolean =>
  seal !== undefined &&
  Number.isSafeInteger(seal.sizeBytes) &&
  [seal.sha256, seal.inode, seal.changedNs].every((text) => typeof text === 'string');
