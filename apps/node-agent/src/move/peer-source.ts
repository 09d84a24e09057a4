import { type ClientReadableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { DomainError, type ErrorCode } from '@kvorum/schema';
import {
  type DescribeOfferedVmResponse,
  fromServiceError,
  type HostPeerClient,
  type ReadVmFileResponse,
} from '@kvorum/schema/agent-wire';
import type { AskedPart, SourceOfVm } from './pull-file.js';

const DESCRIBE_TIMEOUT_MS = 30_000;
/** At 0.3 MB/s, and with the source's reading first: a part that takes longer is asked for again. */
const PART_TIMEOUT_MS = 300_000;

/** A VM on another host, as that host's agent gives it. */
export class PeerSource implements SourceOfVm {
  readonly #client: HostPeerClient;
  readonly #vm: { readonly vmId: string; readonly operationId: string };

  constructor(client: HostPeerClient, vm: { readonly vmId: string; readonly operationId: string }) {
    this.#client = client;
    this.#vm = vm;
  }

  describe(stop: AbortSignal): Promise<DescribeOfferedVmResponse> {
    const deadline = Date.now() + DESCRIBE_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const call = this.#client.describeOfferedVm(this.#vm, new Metadata(), { deadline }, (error, response) => {
        stop.removeEventListener('abort', cancel);
        if (error === null) resolve(response);
        else reject(peerFault(error));
      });
      const cancel = (): void => call.cancel();
      stop.addEventListener('abort', cancel, { once: true });
    });
  }

  async *read(part: AskedPart, stop: AbortSignal): AsyncGenerator<ReadVmFileResponse> {
    const deadline = Date.now() + PART_TIMEOUT_MS;
    const call: ClientReadableStream<ReadVmFileResponse> = this.#client.readVmFile(
      { ...this.#vm, ...part },
      new Metadata(),
      { deadline },
    );
    const cancel = (): void => call.cancel();
    stop.addEventListener('abort', cancel, { once: true });
    try {
      yield* call as AsyncIterable<ReadVmFileResponse>;
    } catch (thrown) {
      throw peerFault(thrown as ServiceError);
    } finally {
      stop.removeEventListener('abort', cancel);
      call.cancel();
    }
  }
}

const PASSING: readonly ErrorCode[] = [
  'unavailable',
  'host_unreachable',
  'cancelled',
  'deadline_exceeded',
  'rate_limited',
];
const MESSAGE_LENGTH_MAX = 300;

/**
 * In codes of our own: what the other host says must not decide what becomes of the operation, beyond whether to ask it again.
 * What is here is kept for that.
 */
export function peerFault(thrown: ServiceError): DomainError {
  const error = fromServiceError(thrown);
  const code = PASSING.includes(error.code) ? 'unavailable' : 'host_fault';
  return new DomainError(code, `the other host: ${error.message.slice(0, MESSAGE_LENGTH_MAX)}`, { cause: error });
}
