// TypeScript that is made from something else and therefore not committed: the database client, the wire's messages, the
// types of the REST API. Each only if what it is made from has changed.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR } from '../checkout.mjs';
import { runCommand } from '../progress/run-command.mjs';
import { whenChanged } from '../stamp.mjs';

const bin = (name) => path.join(CHECKOUT_DIR, 'node_modules/.bin', name);

// Prisma wants to download an engine that `generate` never runs. Naming any program in its place keeps it from doing so, and
// the installation from needing anything but the registry.
const PRISMA_ENV = {
  PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
  CHECKPOINT_DISABLE: '1',
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
};

const DATABASE_CLIENT_DIR = 'packages/control-plane/src/database/generated';
const WIRE_DIR = 'packages/schema/src/generated';
const OPENAPI_FILE = 'packages/schema/openapi/openapi.json';
export const API_TYPES_FILE = 'packages/client/src/generated/api.ts';

const generateDatabaseClient = (options) =>
  whenChanged(
    'generate-database',
    { inputs: ['prisma/schema.prisma', 'package-lock.json'], outputs: [DATABASE_CLIENT_DIR] },
    () => runCommand([bin('prisma'), 'generate'], { ...options, env: PRISMA_ENV }),
  );

const generateWire = (options) =>
  whenChanged(
    'generate-wire',
    { inputs: ['packages/schema/proto', 'packages/schema/buf.gen.yaml', 'package-lock.json'], outputs: [WIRE_DIR] },
    async () => {
      const cwd = path.join(CHECKOUT_DIR, 'packages/schema');
      await runCommand([bin('buf'), 'lint'], { ...options, cwd });
      await runCommand([bin('buf'), 'generate'], { ...options, cwd });
    },
  );

export const generateApiTypes = (options) =>
  whenChanged('generate-api-types', { inputs: [OPENAPI_FILE, 'package-lock.json'], outputs: [API_TYPES_FILE] }, () =>
    // Without the flag, fields of requests that have a default would be required.
    runCommand(
      [bin('openapi-typescript'), OPENAPI_FILE, '--default-non-nullable=false', '--output', API_TYPES_FILE],
      options,
    ),
  );

/** Returns the names of what was made anew. */
export const generateSources = async ({ onLine, signal } = {}) => {
  const options = { log: 'generate', onLine, signal };
  const made = [];
  if (await generateDatabaseClient(options)) made.push('database client');
  if (await generateWire(options)) made.push('wire messages');
  if (existsSync(path.join(CHECKOUT_DIR, OPENAPI_FILE)) && (await generateApiTypes(options))) made.push('API types');
  return made;
};
