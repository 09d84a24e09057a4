import { once } from 'node:events';
import { type ClientDuplexStream, type ClientReadableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { type ConsoleKind, DomainError, SCREENSHOT_BYTES_MAX } from '@kvorum/schema';
import {
  fromServiceError,
  type NodeAgentClient,
  type OpenConsoleRequest,
  type OpenConsoleResponse,
  type TakeScreenshotResponse,
  ConsoleKind as WireKind,
} from '@kvorum/schema/agent-wire';
import type { ConsoleStream } from './agent-port.js';

/** From the call to the first message; an agent answers at once. */
const OPEN_TIMEOUT_MS = 10_000;
const NOTHING: OpenConsoleRequest = { opening: undefined, data: Buffer.alloc(0) };

/** Opens a session and waits for the agent's word that it is open; throws what the agent refuses it with. */
export async function openConsole(
  client: NodeAgentClient,
  vmId: string,
  kind: ConsoleKind,
  backlogBytes: number,
): Promise<ConsoleStream> {
  const call = client.openConsole(new Metadata());
  // Whoever reads or waits is told; without a listener a failure after that would end the process.
  call.on('error', () => undefined);
  const timer = setTimeout(() => call.cancel(), OPEN_TIMEOUT_MS);
  try {
    const wireKind = kind === 'serial' ? WireKind.CONSOLE_KIND_SERIAL : WireKind.CONSOLE_KIND_VNC;
    call.write({ ...NOTHING, opening: { vmId, kind: wireKind, backlogBytes } });
    const responses = call.iterator({ destroyOnReturn: false }) as AsyncIterator<OpenConsoleResponse>;
    const first = await responses.next();
    if (first.done === true || !first.value.isOpen) throw new DomainError('host_fault', 'the agent opened no console');
    return streamOf(call, responses);
  } catch (error) {
    call.cancel();
    throw error instanceof DomainError ? error : fromServiceError(error as ServiceError);
  } finally {
    clearTimeout(timer);
  }
}

function streamOf(
  call: ClientDuplexStream<OpenConsoleRequest, OpenConsoleResponse>,
  responses: AsyncIterator<OpenConsoleResponse>,
): ConsoleStream {
  let endReason = 'the host of the VM cannot be reached';
  const output = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const next = await responses.next();
        if (next.done === true) return;
        if (next.value.endReason !== '') endReason = next.value.endReason;
        if (next.value.data.byteLength > 0) yield next.value.data;
      }
    } catch (error) {
      const { code, message } = fromServiceError(error as ServiceError);
      if (code !== 'host_unreachable') endReason = message;
    }
  };
  return {
    output: output(),
    write: async (data) => {
      if (call.destroyed || call.writableEnded || call.write({ ...NOTHING, data: Buffer.from(data) })) return;
      await Promise.race([once(call, 'drain'), once(call, 'close')]).catch(() => undefined);
    },
    close: () => call.cancel(),
    get endReason() {
      return endReason;
    },
  };
}

/** Puts the parts of a screenshot together; an agent that sends more than one may have is cut off. */
export async function joinScreenshot(stream: ClientReadableStream<TakeScreenshotResponse>): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  // After a refusal of ours the call is cancelled, which is a failure nobody listens to.
  stream.on('error', () => undefined);
  let bytes = 0;
  try {
    for await (const { data } of stream as AsyncIterable<TakeScreenshotResponse>) {
      bytes += data.byteLength;
      if (bytes > SCREENSHOT_BYTES_MAX) {
        throw new DomainError('host_fault', `the host sent more than ${SCREENSHOT_BYTES_MAX} bytes as a screenshot`);
      }
      parts.push(data);
    }
  } catch (error) {
    stream.cancel();
    throw error instanceof DomainError ? error : fromServiceError(error as ServiceError);
  }
  return Buffer.concat(parts);
}
