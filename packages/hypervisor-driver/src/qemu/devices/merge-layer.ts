import { chmod } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import type { LayerMerge, MergeProgress } from '../../driver.js';
import { admitFiles, type UidRange, vmUid } from '../../isolation/vm-user.js';
import { asHostFault } from '../../process/as-host-fault.js';
import type { QemuJob } from '../qmp-commands.js';
import { pathRefusal } from '../run-folder.js';
import { layerNode } from './device-plan.js';
import type { Ask } from './machine-change.js';
import { outermostOf } from './switch-disks.js';

const JOB_PREFIX = 'merge-';
const WRITTEN_MODE = 0o600;
const POLL_MS = 50;
/** A job that is broken off waits for the request that is under way, on whatever disk. */
const END_TIMEOUT_MS = 30_000;

interface MergingVm {
  readonly ask: Ask;
  readonly vmId: string;
  readonly vmUids: UidRange | null;
}

/**
 * Driver port: RunningVm.mergeLayer. Jobs and nodes are named by disk and file, so that whoever comes next finds by the job how far it is,
 * and by the child's node, which goes with its end, what has come of it. Jobs are kept until they were read (`auto-dismiss`).
 */
export async function mergeLayer({ ask, vmId, vmUids }: MergingVm, merge: LayerMerge): Promise<MergeProgress> {
  assertMerge(merge);
  const { diskId, abovePath, childPath, basePath } = merge;
  const [above, child, base] = [abovePath, childPath, basePath].map((path) => layerNode(diskId, path)) as [
    string,
    string,
    string,
  ];
  const id = jobOf(diskId, childPath);
  const job = (await ask('query-jobs')).find((one) => one.id === id);
  if (job?.isOver === false) return runningOf(job);
  if (job !== undefined) await ask('job-dismiss', { id });
  if (job !== undefined && job.failure !== null) return { state: 'failed', detail: job.failure };
  const nodes = new Set((await ask('query-named-block-nodes')).map(({ name }) => name));
  if (!nodes.has(above) || !nodes.has(base)) {
    throw new DomainError('conflict_state', `the running VM has no disk ${diskId} on these files`);
  }
  if (!nodes.has(child)) return { state: 'merged' };
  await asHostFault('the layers of the disk cannot be written', async () => {
    const written = [basePath, abovePath];
    if (vmUids !== null) await admitFiles(vmUid(vmId, vmUids), written, [], '/');
    else for (const path of written) await chmod(path, WRITTEN_MODE);
  });
  await ask('block-commit', {
    'job-id': id,
    device: outermostOf(diskId),
    'top-node': child,
    'base-node': base,
    'backing-file': merge.baseName,
    speed: merge.bytesPerSecond,
    'auto-dismiss': false,
  });
  return { state: 'running', doneBytes: 0, totalBytes: 0 };
}

/** Driver port: RunningVm.endMerges. */
export async function endMerges({ ask }: Pick<MergingVm, 'ask'>, diskId: string): Promise<void> {
  const giveUpAtMs = performance.now() + END_TIMEOUT_MS;
  const asked = new Set<string>();
  for (;;) {
    const jobs = (await ask('query-jobs')).filter(({ id }) => id.startsWith(jobsOf(diskId)));
    if (jobs.length === 0) return;
    for (const { id, isOver } of jobs) {
      if (isOver) await ask('job-dismiss', { id });
      else if (!asked.has(id)) await breakOff(ask, id);
      asked.add(id);
    }
    if (performance.now() >= giveUpAtMs) {
      throw new DomainError(
        'deadline_exceeded',
        `a merge of the disk ${diskId} goes on ${END_TIMEOUT_MS} ms after its end`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** One that is at its last step cannot be: it ends by itself (job_cancel of QEMU: "cannot accept command verb"). */
async function breakOff(ask: Ask, id: string): Promise<void> {
  await ask('job-cancel', { id }).catch((thrown: unknown) => {
    const isEnding = thrown instanceof DomainError && /cannot accept command verb|not found/i.test(thrown.message);
    if (!isEnding) throw thrown;
  });
}

export function assertMerge({ abovePath, childPath, basePath, baseName, bytesPerSecond }: LayerMerge): void {
  const paths = [abovePath, childPath, basePath];
  const isUsable = paths.every((path) => pathRefusal(path) === null) && new Set(paths).size === paths.length;
  const isNamed = pathRefusal(`/${baseName}`) === null;
  if (isUsable && isNamed && Number.isSafeInteger(bytesPerSecond) && bytesPerSecond > 0) return;
  const message = 'must name three files by absolute paths, a name, and a positive number of bytes per second';
  throw new DomainError('invalid_request', `merge ${message}`, { details: { fields: [{ field: 'merge', message }] } });
}

const jobsOf = (diskId: string): string => `${JOB_PREFIX}${diskId}-`;
const jobOf = (diskId: string, childPath: string): string => `${jobsOf(diskId)}${layerNode(diskId, childPath)}`;

const runningOf = ({ doneBytes, totalBytes }: QemuJob): MergeProgress => ({ state: 'running', doneBytes, totalBytes });
