import { type ClientReadableStream, type ClientUnaryCall, Metadata, type ServiceError } from '@grpc/grpc-js';
import { DomainError } from '@kvorum/schema';
import { fromServiceError } from '@kvorum/schema/agent-wire';
import type { CallOptions } from './agent-port.js';

type UnaryCall<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: number },
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

type StreamingCall<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: number },
) => ClientReadableStream<Response>;

/** One call with its time limit. An abort cancels it on the wire as well; what the agent did is then unknown. */
export function unary<Request, Response>(
  call: UnaryCall<Request, Response>,
  request: Request,
  { timeoutMs, signal }: CallOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const running = call(request, new Metadata(), { deadline: Date.now() + timeoutMs }, (error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error === null) resolve(response);
      else reject(fromServiceError(error));
    });
    const cancel = (): void => running.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** A call that tells its progress: the last message, if `isLast` says so; a stream that ends before that has failed. */
export async function progressing<Request, Response>(
  call: StreamingCall<Request, Response>,
  request: Request,
  { timeoutMs, signal }: CallOptions,
  { isLast, hear }: { isLast: (message: Response) => boolean; hear: (message: Response) => void },
): Promise<Response> {
  signal?.throwIfAborted();
  const stream = call(request, new Metadata(), { deadline: Date.now() + timeoutMs });
  const cancel = (): void => stream.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  let last: Response | null = null;
  try {
    for await (const message of stream as AsyncIterable<Response>) {
      last = message;
      hear(message);
    }
  } catch (error) {
    throw fromServiceError(error as ServiceError);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
  if (last === null || !isLast(last))
    throw new DomainError('host_unreachable', 'the agent stopped before it had ended');
  return last;
}
