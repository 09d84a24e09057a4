import type { DescribeOfferedVmRequest, DescribeOfferedVmResponse, VmFile } from '@kvorum/schema/agent-wire';
import { offeredVm } from '../move/offered-vm.js';
import { filesOfVm, openVmFile } from '../move/vm-files.js';
import type { AgentServices } from './agent-services.js';
import type { HostPeerIdentity } from './authenticate-caller.js';
import { DescribeOfferedVm, decodeRequest } from './decode-request.js';

const STAT_BLOCK_BYTES = 512;

export async function describeOfferedVm(
  { directory, folders }: AgentServices,
  peer: HostPeerIdentity,
  request: DescribeOfferedVmRequest,
): Promise<DescribeOfferedVmResponse> {
  const record = offeredVm(directory, peer, decodeRequest(DescribeOfferedVm, request));
  const files: VmFile[] = [];
  for (const [name, path] of filesOfVm(folders, record)) {
    const file = await openVmFile(path);
    if (file === null) continue;
    const { size, blocks } = await file.stat().finally(() => file.close());
    files.push({ name, sizeBytes: size, allocatedBytes: blocks * STAT_BLOCK_BYTES });
  }
  return { machineType: record.machineType ?? '', vmGenerationId: record.vmGenerationId ?? '', files };
}
