import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import type { ReceiveVmRequest, ReceiveVmResponse } from '@kvorum/schema/agent-wire';
import { PeerSource } from '../move/peer-source.js';
import { receiveVm as receive } from '../move/receive-vm.js';
import { connectPeer } from '../trust/host-peer-client.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, ReceiveVm } from './decode-request.js';

const PROGRESS_INTERVAL_MS = 500;
/** More at once share the same network and disks and finish later together. */
const RECEIVED_AT_ONCE_MAX = 4;

/** Progress until the VM is here and checked; then what is true of it. A caller that goes away ends it: what is here is kept. */
export async function* receiveVm(
  services: AgentServices,
  request: ReceiveVmRequest,
  signal: AbortSignal,
): AsyncGenerator<ReceiveVmResponse> {
  const { directory, host, identity, moves, writer } = services;
  const { intent, spec, volumes, source } = decodeRequest(ReceiveVm, request);
  if (moves.receivingCount >= RECEIVED_AT_ONCE_MAX) {
    throw new DomainError('unavailable', `${RECEIVED_AT_ONCE_MAX} VMs are being received already`);
  }
  const actor = directory.actorOf(intent.vmId);
  const progress = { doneBytes: 0, totalBytes: 0 };
  const client = connectPeer(identity, source);
  moves.receivingCount += 1;
  let isSettled = false;
  const copy = (stop: AbortSignal) =>
    receive({ vmId: intent.vmId, volumes, source: new PeerSource(client, intent), host, progress }, stop);
  const received = actor.receiveVm(intent, spec, copy, signal).finally(() => {
    isSettled = true;
    moves.receivingCount -= 1;
    client.close();
  });
  // Awaited below; until then a failure must not count as unhandled.
  received.catch(() => undefined);
  while (!isSettled && !signal.aborted) {
    await Promise.race([received.catch(() => undefined), sleep(PROGRESS_INTERVAL_MS, undefined, { ref: false })]);
    if (!isSettled) yield { ...progress, vm: undefined };
  }
  if (signal.aborted) return;
  await received;
  yield { ...progress, vm: writer.vmReport(actor) ?? undefined };
}
