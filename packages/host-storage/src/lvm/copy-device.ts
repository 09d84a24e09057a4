import { runTool } from '../image-tool.js';
import type { StoreWatch } from '../images/image-store.js';
import { COPY_TIMEOUT_MS } from '../layer-files.js';
import { runCopyOut } from '../run-copy-out.js';
import type { CopyOut } from '../storage-pool.js';

const RUN = { folder: '/', lockDescriptors: [], timeoutMs: COPY_TIMEOUT_MS } as const;

/** Writes a qcow2 file to a device that reads as zeros. Synced at the end: by default qemu-img(1) would not wait for the disk. */
export async function fillDevice(qemuImgPath: string, file: string, device: string): Promise<void> {
  const how = ['-n', '--target-is-zero', '-t', 'writeback', '-f', 'qcow2', '-O', 'raw'];
  await runTool([qemuImgPath, 'convert', ...how, '--', file, device], RUN);
}

export async function copyDeviceOut(
  qemuImgPath: string,
  device: string,
  target: CopyOut,
  watch: StoreWatch,
): Promise<void> {
  const source = { qemuImgPath, arguments: ['-f', 'raw', '--', device], isParsed: false };
  await runCopyOut(source, target, { ...watch, ...RUN });
}
