import type { SweepHostRequest, SweepHostResponse } from '@kvorum/schema/agent-wire';
import { sweepHost as sweep } from '../leftovers/sweep-host.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, SweepHost } from './decode-request.js';

export async function sweepHost(
  { host, directory, images, templates, log }: AgentServices,
  request: SweepHostRequest,
): Promise<SweepHostResponse> {
  const { folders, driver } = host;
  const found = await sweep({ directory, folders, driver, images, log }, decodeRequest(SweepHost, request));
  return {
    quarantined: [...found.quarantined],
    removed: found.removed.map((leftover) => ({ ...leftover, name: '', sinceMs: 0 })),
    faults: [...found.faults],
    vmIds: directory.snapshots().map(({ vmId }) => vmId),
    templateIds: templates.all.map(({ templateId }) => templateId),
  };
}
