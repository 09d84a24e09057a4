import { afterAll, beforeAll, expect } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';
import { proveOperation } from '../operation-harness.js';
import { irreversibleToy, openToyWorld, requestToy, settledStates, toyOperation } from './toy-operation.js';

let shared: TestDatabase;
beforeAll(async () => {
  shared = await createTestDatabase();
});
afterAll(() => shared.drop());

const toy = toyOperation();
proveOperation({
  definition: toy,
  arrange: async () => openToyWorld(shared.url),
  request: (world) => requestToy(world, toy),
  services: (world) => ({ host: world.host }),
  expectDone: async (world) => {
    expect([...world.host.things].sort()).toEqual(['device on disks', 'disk']);
    expect(await settledStates(world)).toEqual(['succeeded']);
  },
  expectCleanSlate: async (world) => {
    expect([...world.host.things]).toEqual([]);
    expect(await settledStates(world)).toHaveLength(1);
  },
  close: (world) => world.close(),
});

const wiping = irreversibleToy();
proveOperation({
  definition: wiping,
  arrange: async () => {
    const world = openToyWorld(shared.url);
    world.host.things.add('data');
    return world;
  },
  request: (world) => requestToy(world, wiping),
  services: (world) => ({ host: world.host }),
  expectDone: async (world) => {
    expect([...world.host.things]).toEqual([]);
    expect(await settledStates(world)).toEqual(['succeeded']);
  },
  expectCleanSlate: async (world) => {
    expect([...world.host.things]).toEqual(['data']);
    expect(await settledStates(world)).toHaveLength(1);
  },
  close: (world) => world.close(),
});
