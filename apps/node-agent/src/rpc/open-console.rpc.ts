import { ConsoleKind, type OpenConsoleRequest, type OpenConsoleResponse } from '@kvorum/schema/agent-wire';
import type { HeldSession } from '../console/console-sessions.js';
import type { AgentServices } from './agent-services.js';
import type { Conversation } from './conversation.js';
import { ConsoleOpening, decodeRequest } from './decode-request.js';

type OpenConsoleCall = Conversation<OpenConsoleRequest, OpenConsoleResponse>;

const RESPONSE: OpenConsoleResponse = { isOpen: false, data: Buffer.alloc(0), endReason: '' };

/** One session, from its first message to its end. Throws what opening it throws; later failures end the stream. */
export async function openConsole({ consoles }: AgentServices, call: OpenConsoleCall): Promise<void> {
  const requests = call.requests[Symbol.asyncIterator]();
  const first = await requests.next();
  const { vmId, kind, backlogBytes } = decodeRequest(ConsoleOpening, first.done === true ? {} : first.value.opening);
  const session = await consoles.open({
    vmId,
    kind: kind === ConsoleKind.CONSOLE_KIND_SERIAL ? 'serial' : 'vnc',
    backlogBytes,
  });
  call.signal.addEventListener('abort', () => session.close('the peer has gone'), { once: true });
  if (call.signal.aborted) session.close('the peer has gone');
  try {
    await call.write({ ...RESPONSE, isOpen: true });
    // Not awaited: it ends the session, or the session's end ends it.
    void takeInput(requests, session);
    for await (const data of session.output) {
      if (call.signal.aborted) return;
      await call.write({ ...RESPONSE, data: Buffer.from(data) });
    }
    await call.write({ ...RESPONSE, endReason: String(session.signal.reason ?? 'the console was closed') });
  } finally {
    session.close('the session is over');
  }
}

/** Carries input to the guest, no faster than it takes it, until the peer ends its side. */
async function takeInput(requests: AsyncIterator<OpenConsoleRequest>, session: HeldSession): Promise<void> {
  try {
    for (;;) {
      const next = await requests.next();
      if (next.done === true || session.signal.aborted) break;
      await session.write(next.value.data);
    }
    session.close('the peer has ended the session');
  } catch (thrown) {
    session.close(thrown instanceof Error ? thrown.message : 'the session broke off');
  }
}
