import { DomainError } from '@kvorum/schema';
import type { ReadConsoleRequest, ReadConsoleResponse } from '@kvorum/schema/agent-wire';
import { readConsole as readConsoleLog } from '../vm/read-console.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, ReadConsole } from './decode-request.js';

export async function readConsole(
  { directory, folders }: AgentServices,
  request: ReadConsoleRequest,
): Promise<ReadConsoleResponse> {
  const { vmId, offset, maxBytes } = decodeRequest(ReadConsole, request);
  if ((directory.find(vmId)?.snapshot() ?? null) === null) {
    throw new DomainError('not_found', 'this host does not know the VM');
  }
  const part = await readConsoleLog(folders.runDirOf(vmId), offset ?? null, maxBytes);
  return { data: Buffer.from(part.data), offset: part.offset, sizeBytes: part.sizeBytes };
}
