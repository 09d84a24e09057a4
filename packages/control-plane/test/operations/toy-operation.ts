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
 * it has seen.
 */
export class ToyHost {
  readonly things = new Set<string>();
  /** Every execution that began: which code, under which token. */
  readonly executions: string[] = [];
  #tokenMax = 0;
  /** What is to happen inside of a step's code. */
  readonly during = new Map<string, (signal: AbortSignal) => Promise<void>>();

  async execute(name: string, token: number, signal: AbortSignal, effect: () => void): Promise<void> {
    this.#refuseStale(token);
    this.executions.push(`${name}@${token}`);
    await this.during.get(name)?.(signal);
    await sleep(1);
    // Once more, as an agent does when it comes to write: the caller may have been fenced meanwhile.
    this.#refuseStale(token);
    effect();
  }

  #refuseStale(token: number): void {
    if (token < this.#tokenMax) throw new DomainError('stale_generation', 'a newer owner has been here');
    this.#tokenMax = token;
  }
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
      run: async ({ services, fencingToken, signal, input }) => {
        await services.host.execute('run disk', fencingToken, signal, () => services.host.things.add('disk'));
        return { path: `/disks/${input.objectId}` };
      },
      undo: async ({ services, fencingToken, signal }) =>
        services.host.execute('undo disk', fencingToken, signal, () => services.host.things.delete('disk')),
    })
    .step('measure', {
      run: async ({ services, fencingToken, signal }) =>
        services.host.execute('run measure', fencingToken, signal, () => {}),
      undo: nothing('it only looks'),
    })
    .step('ensure-device', {
      run: async ({ services, fencingToken, signal, outputs }) => {
        const device = `device on ${outputs['ensure-disk'].path.split('/')[1]}`;
        await services.host.execute('run device', fencingToken, signal, () => services.host.things.add(device));
        return { device };
      },
      undo: async ({ services, fencingToken, signal }) =>
        services.host.execute('undo device', fencingToken, signal, () =>
          services.host.things.delete('device on disks'),
        ),
    })
    .settle(settle);

/** The device first, then two steps from which there is no way back. */
export const irreversibleToy = (times: ToyTimes = {}): AnyDefinition<ToyServices> =>
  defineOperation<ToyServices>()<Input>({ ...HEAD, ...times })
    .step('ensure-disk', {
      run: async ({ services, fencingToken, signal }) =>
        services.host.execute('run disk', fencingToken, signal, () => services.host.things.add('disk')),
      undo: async ({ services, fencingToken, signal }) =>
        services.host.execute('undo disk', fencingToken, signal, () => services.host.things.delete('disk')),
    })
    .step('wipe', {
      run: async ({ services, fencingToken, signal }) =>
        services.host.execute('run wipe', fencingToken, signal, () => services.host.things.delete('data')),
      undo: irreversible('what is wiped is gone'),
    })
    .step('forget', {
      run: async ({ services, fencingToken, signal }) =>
        services.host.execute('run forget', fencingToken, signal, () => services.host.things.delete('disk')),
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
