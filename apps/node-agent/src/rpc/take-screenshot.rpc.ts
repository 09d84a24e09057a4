import { KIB } from '@kvorum/schema';
import type { TakeScreenshotRequest, TakeScreenshotResponse } from '@kvorum/schema/agent-wire';
import { runningVm } from '../vm/running-vm.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, TakeScreenshot } from './decode-request.js';

/** A message of gRPC holds 4 MiB by default; a screenshot may be larger. */
const PART_BYTES = 256 * KIB;

export async function* takeScreenshot(
  { directory }: AgentServices,
  request: TakeScreenshotRequest,
): AsyncGenerator<TakeScreenshotResponse> {
  const { vmId } = decodeRequest(TakeScreenshot, request);
  const file = await runningVm(directory, vmId).vm.consoles.takeScreenshot();
  for (let at = 0; at < file.byteLength; at += PART_BYTES) {
    yield { data: Buffer.from(file.subarray(at, at + PART_BYTES)) };
  }
}
