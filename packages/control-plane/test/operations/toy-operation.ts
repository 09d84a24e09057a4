import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, newId, type OperationId } from '@kvorum/schema';
import { z } from 'zod';
import { type Database, openDatabase, withTransaction } from '../../src/database/database.js';
import { recordEvent } from '../../src/event/event.store.js';
import { defineOperation, irreversible, nothing } from '../../src/operations/define-operation.js';
import { recordOperation } from '../../src/operations/operation.store.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';

/**
 * A host as the agent is one: it keeps what was ensured, and refuses callers whose fencing token is lower than the highest
 * it has seen for their operation.
 */
export class ToyHost {
  readonly things = new Set<string>();
  /** Every execution that began: which code, under which token. */
  readonly executions: string[] = [];
  readonly #tokenMax = new Map<string, number>();
  /** What is to happen inside of a step's code. */
  readonly during = new Map<string, (signal: AbortSignal) => Promise<void>>();

  async execute(name: string, caller: Caller, effect: () => void): Promise<void> {
    this.#refuseStale(caller);
    this.executions.push(`${name}@${caller.fencingToken}`);
    await this.during.get(name)?.(caller.signal);
    await sleep(1);
    // Once more, as an agent does when it comes to write: the caller may have been fenced meanwhile.
    this.#refuseStale(caller);
    effect();
  }

  #refuseStale({ operationId, fencingToken }: Caller): void {
    if (fencingToken < (this.#tokenMax.get(operationId) ?? 0)) {
      throw new DomainError('stale_generation', 'a newer owner has been here');
    }
    this.#tokenMax.set(operationId, fencingToken);
  }
}

interface Caller {
  readonly operationId: string;
  readonly fencingToken: number;
  readonly signal: AbortSignal;
}

export interface ToyServices {
  readonly host: ToyHost;
}

const Input = z.object({ objectId: z.uuid() });
type Input = z.infer<typeof Input>;

const HEAD = { kind: 'vm.start', inputShape: Input, deadlineMs: 60_000, unwindDeadlineMs: 60_000 } as const;

export interface ToyTimes {
  readonly deadlineMs?: number;
  readonly unwindDeadlineMs?: number;
}

const settle = {
  done: (tx: Parameters<typeof recordEvent>[0], end: { input: Input; endState: string }) => settled(tx, end),
  unwound: (tx: Parameters<typeof recordEvent>[0], end: { input: Input; endState: string }) => settled(tx, end),
};
/** What becomes of the object is an event of the same transaction, and there must be exactly one. */
const settled = (tx: Parameters<typeof recordEvent>[0], end: { input: Input; endState: string }): Promise<void> =>
  recordEvent(tx, {
    type: 'toy.settled',
    projectId: null,
    resourceKind: 'toy',
    resourceId: end.input.objectId,
    data: { endState: end.endState },
  });

/** disk, then a step that leaves nothing, then a device that depends on the disk's output. */
export const toyOperation = (times: ToyTimes = {}): AnyDefinition<ToyServices> =>
  defineOperation<ToyServices>()<Input>({ ...HEAD, ...times })
    .step('ensure-disk', {
      run: async (context) => {
        await context.services.host.execute('run disk', context, () => context.services.host.things.add('disk'));
        return { path: `/disks/${context.input.objectId}` };
      },
      undo: async (context) =>
        context.services.host.execute('undo disk', context, () => context.services.host.things.delete('disk')),
    })
    .step('measure', {
      run: async (context) => context.services.host.execute('run measure', context, () => {}),
      undo: nothing('it only looks'),
    })
    .step('ensure-device', {
      run: async (context) => {
        const device = `device on ${context.outputs['ensure-disk'].path.split('/')[1]}`;
        await context.services.host.execute('run device', context, () => context.services.host.things.add(device));
        return { device };
      },
      undo: async (context) =>
        context.services.host.execute('undo device', context, () =>
          context.services.host.things.delete('device on disks'),
        ),
    })
    .settle(settle);

/** The device first, then two steps from which there is no way back. */
export const irreversibleToy = (times: ToyTimes = {}): AnyDefinition<ToyServices> =>
  defineOperation<ToyServices>()<Input>({ ...HEAD, ...times })
    .step('ensure-disk', {
      run: async (context) =>
        context.services.host.execute('run disk', context, () => context.services.host.things.add('disk')),
      undo: async (context) =>
        context.services.host.execute('undo disk', context, () => context.services.host.things.delete('disk')),
    })
    .step('wipe', {
      run: async (context) =>
        context.services.host.execute('run wipe', context, () => context.services.host.things.delete('data')),
      undo: irreversible('what is wiped is gone'),
    })
    .step('forget', {
      run: async (context) =>
        context.services.host.execute('run forget', context, () => context.services.host.things.delete('disk')),
      undo: irreversible('what is forgotten is gone'),
    })
    .settle(settle);

export interface ToyWorld {
  readonly database: Database;
  readonly databaseUrl: string;
  readonly host: ToyHost;
  readonly objectId: string;
  close(): Promise<void>;
}

const POOL_SIZE = 8;

export const openToyWorld = (url: string): ToyWorld => {
  const database = openDatabase(url, POOL_SIZE);
  return {
    database,
    databaseUrl: url,
    host: new ToyHost(),
    objectId: newId<string>(),
    close: () => database.$disconnect(),
  };
};

export const requestToy = (
  world: Pick<ToyWorld, 'database' | 'objectId'>,
  definition: AnyDefinition<ToyServices>,
): Promise<OperationId> =>
  withTransaction(world.database, (tx) =>
    recordOperation(tx, {
      definition,
      input: { objectId: world.objectId },
      projectId: null,
      resourceKind: 'vm',
      resourceId: world.objectId,
      createdBy: 'test',
      now: new Date(),
    }),
  );

/** End states that were settled, in order: one, or the operation was settled twice or never. */
export async function settledStates(world: Pick<ToyWorld, 'database' | 'objectId'>): Promise<unknown[]> {
  const events = await world.database.event.findMany({
    where: { type: 'toy.settled', resourceId: world.objectId },
    orderBy: { seq: 'asc' },
  });
  return events.map((event) => (event.data as { endState: string }).endState);
}
