import type { AcceptedOperation, KvorumClient, Operation } from '@kvorum/client';
import type { Cli } from './cli.js';
import { progressOf } from './operation-progress.js';
import type { Field } from './print-table.js';
import { openProgress } from './progress-display.js';

export const watchHint = (operationId: string): string => `kvorum operation watch ${operationId}`;

/** Waits for an operation and shows how far it is. Ctrl-C ends the waiting alone. */
export const awaitOperation = (
  cli: Cli,
  client: KvorumClient,
  operation: Pick<Operation, 'id' | 'kind'>,
): Promise<Operation> =>
  cli.untilInterrupt(`the operation goes on; watch it with: ${watchHint(operation.id)}`, async (signal) => {
    const display = openProgress(cli.io.stderr, operation.kind);
    try {
      return await client.operations.wait(operation.id, {
        signal,
        onUpdate: (now) => display.update(progressOf(now)),
      });
    } finally {
      display.close();
    }
  });

export interface WaitOption {
  readonly wait?: boolean;
}

/** Ends a verb that was accepted: says how to watch it, or waits and shows what it has come to. */
export async function endWithOperation(
  cli: Cli,
  client: KvorumClient,
  accepted: AcceptedOperation,
  { wait }: WaitOption,
  showEnd: (operation: Operation) => Promise<void> | void,
): Promise<void> {
  if (wait === true) {
    await showEnd(await awaitOperation(cli, client, accepted.operation));
    return;
  }
  cli.show(accepted, describeAccepted);
  if (cli.format === 'table') cli.note(`watch it with: ${watchHint(accepted.operation.id)}`);
}

const describeAccepted = ({ resourceId, operation }: AcceptedOperation): readonly Field[] => [
  [operation.resourceKind, resourceId],
  ['operation', operation.id],
  ['kind', operation.kind],
  ['state', operation.state],
];
