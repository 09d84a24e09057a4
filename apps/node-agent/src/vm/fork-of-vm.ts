import type { LaunchSpec, RunningVm } from '@kvorum/hypervisor-driver';
import type { VmHost } from './vm-host.js';
import type { VmRecord } from './vm-record.js';

/** Whether the next start goes on where the template stood still; null: it boots. */
export const templateToFork = ({ spec, fork }: VmRecord): string | null =>
  spec === null || fork.hasRun ? null : spec.templateId;

/**
 * An earlier attempt that was never confirmed may have let the guest write to the disk, which a guest that arrives once more
 * would take for the template's: it is made anew then.
 */
export async function forkVm(
  host: VmHost,
  record: VmRecord,
  launch: LaunchSpec,
  templateId: string,
): Promise<RunningVm> {
  const { driver, folders, templates } = host;
  return templates.holding(templateId, async ({ rootDiskBytes, diskPath }) => {
    if (record.run !== null) await driver.removeDisk(launch.diskPath);
    const disk = { path: launch.diskPath, sizeBytes: rootDiskBytes, imagePath: diskPath, base: 'template' } as const;
    await driver.ensureDisk(disk);
    return driver.forkVm(launch, folders.templateOf(templateId));
  });
}
