import { CONSOLE_READ_BYTES_MAX, type ConsoleLog, type VmId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { cleanLines } from '../plain-text.js';
import { agentOfVm } from './agent-of-vm.js';
import { getVm } from './vms.js';

/** An agent reads a file; people wait for the answer. */
const READ_TIMEOUT_MS = 10_000;
/** A UTF-8 sequence has at most 4 bytes (RFC 3629): a part may end within one, 3 bytes before its end. */
const UTF8_TAIL_BYTES_MAX = 3;

/**
 * A part of a VM's console log, from `offset` on, or its end (null). The guest wrote it and may write anything: what is not
 * plain text is removed here, once for every reader. Throws host_unreachable while its host does not answer.
 */
export async function readVmConsole(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  offset: number | null,
): Promise<ConsoleLog> {
  const vm = await getVm(cp, actor, vmId);
  const agent = await agentOfVm(cp, vm);
  const options = { timeoutMs: READ_TIMEOUT_MS };
  const part = await agent.readConsole(vmId, offset, CONSOLE_READ_BYTES_MAX, options);
  // The agent is bound to what it was asked for; one that is not must not fill our memory or a reader's screen.
  const data = Buffer.from(part.data).subarray(0, CONSOLE_READ_BYTES_MAX);
  const isEnd = part.offset + data.byteLength >= part.sizeBytes;
  const usedBytes = isEnd ? data.byteLength : data.byteLength - openTailBytes(data);
  return {
    text: cleanLines(data.subarray(0, usedBytes).toString('utf8')),
    offset: part.offset,
    nextOffset: part.offset + usedBytes,
    sizeBytes: part.sizeBytes,
  };
}

/** Bytes at the end that begin a character the next part goes on with; 0 if the last one is whole (or is not UTF-8). */
export function openTailBytes(data: Uint8Array): number {
  for (let back = 1; back <= UTF8_TAIL_BYTES_MAX && back <= data.byteLength; back += 1) {
    const byte = data[data.byteLength - back] ?? 0;
    const isContinuation = (byte & 0xc0) === 0x80;
    if (isContinuation) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back && back < data.byteLength ? back : 0;
  }
  return 0;
}
