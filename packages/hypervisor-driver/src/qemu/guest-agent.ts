import { DomainError } from '@kvorum/schema';
import {
  GUEST_OUTPUT_BYTES_MAX,
  type GuestCommand,
  type GuestCommandStatus,
  type GuestInterface,
  type GuestPort,
} from '../guest-port.js';
import type { GuestAgentClient, GuestRequest } from './guest-agent-client.js';
import { readCommandId, readCommandStatus, readCount, readFreezeStatus, readInterfaces } from './guest-answers.js';
import type { GuestOutcome } from './guest-dialogue.js';

/** Two streams in base64, and the other fields. */
const COMMAND_ANSWER_BYTES_MAX = 2 * Math.ceil(GUEST_OUTPUT_BYTES_MAX / 3) * 4 + 4096;
const NS_PER_MS = 1e6;
/** A list of interfaces with statistics has some 600 bytes for each. */
const INTERFACES_ANSWER_BYTES_MAX = 256 * 1024;

/** The guest agent of one VM, by the commands of qga/qapi-schema.json. `call` tells the end of the VM from a silent guest. */
export class GuestAgent implements GuestPort {
  readonly #client: GuestAgentClient;
  readonly #call: <Result>(run: () => Promise<Result>) => Promise<Result>;

  constructor(client: GuestAgentClient, call: <Result>(run: () => Promise<Result>) => Promise<Result>) {
    this.#client = client;
    this.#call = call;
  }

  queryInterfaces(timeoutMs: number): Promise<GuestInterface[]> {
    const answerBytesMax = INTERFACES_ANSWER_BYTES_MAX;
    return this.#ask({ command: 'guest-network-get-interfaces', timeoutMs, answerBytesMax }, readInterfaces);
  }

  startCommand({ program, args, input }: GuestCommand, timeoutMs: number): Promise<number> {
    const fields = {
      path: program,
      arg: args,
      'capture-output': true,
      ...(input === null ? {} : { 'input-data': Buffer.from(input).toString('base64') }),
    };
    return this.#ask({ command: 'guest-exec', arguments: fields, timeoutMs }, readCommandId);
  }

  pollCommand(commandId: number, timeoutMs: number): Promise<GuestCommandStatus> {
    const request = {
      command: 'guest-exec-status',
      arguments: { pid: commandId },
      timeoutMs,
      answerBytesMax: COMMAND_ANSWER_BYTES_MAX,
    };
    return this.#ask(request, readCommandStatus);
  }

  async setTime(atMs: number, timeoutMs: number): Promise<void> {
    await this.#ask({ command: 'guest-set-time', arguments: { time: atMs * NS_PER_MS }, timeoutMs }, () => true);
  }

  freeze(timeoutMs: number): Promise<number> {
    return this.#ask({ command: 'guest-fsfreeze-freeze', timeoutMs }, readCount);
  }

  thaw(timeoutMs: number): Promise<number> {
    return this.#ask({ command: 'guest-fsfreeze-thaw', timeoutMs }, readCount);
  }

  isFrozen(timeoutMs: number): Promise<boolean> {
    return this.#ask({ command: 'guest-fsfreeze-status', timeoutMs }, readFreezeStatus);
  }

  #ask<Answer>(request: GuestRequest, read: (answer: unknown) => Answer | null): Promise<Answer> {
    return this.#call(async () => {
      const outcome = await this.#client.ask(request);
      if (outcome.kind !== 'answered') throw guestAgentFailure(request, outcome);
      const answer = read(outcome.value);
      if (answer === null) throw guestAgentFailure(request, { kind: 'broken', why: 'it answered nonsense' });
      return answer;
    });
  }
}

function guestAgentFailure(request: GuestRequest, outcome: Exclude<GuestOutcome, { kind: 'answered' }>): DomainError {
  const words = {
    silent: () => `did not answer within ${request.timeoutMs} ms`,
    oversized: () => 'answered more than is taken from a guest',
    refused: () => `refused: ${(outcome as { reason: string }).reason}`,
    broken: () => `failed: ${(outcome as { why: string }).why}`,
  };
  return new DomainError('guest_agent_failed', `the guest agent ${words[outcome.kind]()} (${request.command})`, {
    details: { kind: outcome.kind, command: request.command },
  });
}
