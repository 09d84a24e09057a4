import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult } from 'dependency-cruiser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from './checkout.js';

interface Rule {
  readonly name: string;
  readonly comment: string;
}
const config: { forbidden: Rule[]; options: ICruiseOptions } = createRequire(import.meta.url)(
  path.join(CHECKOUT, '.dependency-cruiser.cjs'),
);

async function violationsIn(folder: string): Promise<string[]> {
  const { output } = await cruise(
    ['packages', 'apps'],
    // The same file as on the command line; the API wants its rules apart.
    { ...config.options, baseDir: folder, ruleSet: { forbidden: config.forbidden as never }, validate: true },
    config.options.enhancedResolveOptions as never,
  );
  return (output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}

/** One file with one import each, and the rule that must object to it; null: nobody may. */
const PLANTED: readonly [file: string, imports: string, rule: string | null][] = [
  ['packages/schema/src/a.ts', '@kvorum/scheduler', 'layer-packages-schema'],
  ['packages/scheduler/src/a.ts', '@kvorum/schema', null],
  ['packages/scheduler/src/b.ts', '@kvorum/control-plane', 'layer-packages-scheduler'],
  ['packages/control-plane/src/a.ts', '@kvorum/scheduler', null],
  ['packages/control-plane/src/b.ts', '@kvorum/hypervisor-driver', 'layer-packages-control-plane'],
  ['packages/hypervisor-driver/src/a.ts', '@kvorum/control-plane', 'layer-packages-hypervisor-driver'],
  ['packages/host-network/src/a.ts', '@kvorum/hypervisor-driver', 'layer-packages-host-network'],
  ['packages/host-storage/src/a.ts', '@kvorum/hypervisor-driver', 'layer-packages-host-storage'],
  ['packages/client/src/a.ts', '@kvorum/control-plane', 'layer-packages-client'],
  ['apps/api/src/a.ts', '@kvorum/hypervisor-driver', 'layer-apps-api'],
  ['apps/node-agent/src/a.ts', '@kvorum/control-plane', 'layer-apps-node-agent'],
  ['apps/cli/src/a.ts', '@kvorum/control-plane', 'layer-apps-cli'],
  ['apps/cli/src/b.ts', '@kvorum/client', null],
  ['apps/cli/src/c.ts', '@kvorum/hypervisor-driver', 'driver-for-the-host-check-only'],
  ['apps/cli/src/commands/host/check.ts', '@kvorum/hypervisor-driver', 'driver-on-demand'],
  ['packages/control-plane/src/c.ts', '../../schema/src/inner.js', 'packages-by-their-root'],
  ['apps/node-agent/src/b.ts', '@kvorum/schema/agent-wire', null],
  ['packages/scheduler/src/c.ts', 'node:fs', 'scheduler-is-pure'],
  ['packages/scheduler/src/c.test.ts', 'node:fs', null],
  ['packages/control-plane/src/vm/create-vm.ts', '@prisma/client', 'prisma-in-stores-only'],
  ['packages/control-plane/src/vm/start-vm.ts', '../database/generated/client.js', 'prisma-in-stores-only'],
  ['packages/control-plane/src/vm/vm.store.ts', '@prisma/client', null],
  ['packages/control-plane/src/database/open.ts', '@prisma/client', null],
  ['packages/control-plane/src/vm/stop-vm.ts', 'pg', 'pg-in-stores-only'],
  ['packages/control-plane/src/vm/volume.store.ts', 'pg', null],
  ['packages/control-plane/src/vm/pause-vm.ts', '@grpc/grpc-js', 'grpc-at-the-edges-only'],
  ['packages/control-plane/src/agents/agent-client.ts', '@grpc/grpc-js', null],
  ['apps/api/src/routes/get-vm.route.ts', '@grpc/grpc-js', 'grpc-at-the-edges-only'],
  ['apps/api/src/gateway/serve.ts', '@grpc/grpc-js', null],
  ['apps/node-agent/src/vm/vm-actor.ts', '@grpc/grpc-js', 'grpc-at-the-edges-only'],
  ['packages/control-plane/src/vm/list-vms.ts', 'fastify', 'http-in-the-api-only'],
  ['apps/api/src/app.ts', 'fastify', null],
  ['packages/control-plane/src/vm/reset-vm.ts', './vm.test.js', 'no-test-in-the-product'],
  ['packages/control-plane/src/vm/resume-vm.ts', '../../test/harness.js', 'no-test-in-the-product'],
  ['packages/client/src/b.ts', 'undeclared', 'declared-dependencies-only'],
  ['packages/client/src/c.ts', './nowhere.js', 'no-unresolvable'],
  ['packages/client/src/d.ts', './e.js', 'no-cycles'],
];
const WORKSPACES = [
  ...['schema', 'scheduler', 'control-plane', 'hypervisor-driver', 'client'].map((name) => `packages/${name}`),
  ...['api', 'node-agent', 'cli'].map((name) => `apps/${name}`),
];
const LIBRARIES = ['@prisma/client', '@grpc/grpc-js', 'pg', 'fastify', 'undeclared'];

/** A project of the same shape as ours, with every violation in it. */
function plantProject(folder: string): void {
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  for (const name of LIBRARIES) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'dist/index.js' }));
    write(`node_modules/${name}/dist/index.js`, 'module.exports = {};');
  }
  mkdirSync(path.join(folder, 'node_modules/@kvorum'), { recursive: true });
  for (const workspace of WORKSPACES) {
    const name = `@kvorum/${path.basename(workspace)}`;
    const declared = [...WORKSPACES.map((other) => `@kvorum/${path.basename(other)}`), ...LIBRARIES.slice(0, -1)];
    const dependencies = Object.fromEntries(declared.map((one) => [one, '1.0.0']));
    const exports = { '.': { source: './src/index.ts' }, './agent-wire': { source: './src/agent-wire.ts' } };
    write(
      `${workspace}/package.json`,
      JSON.stringify({ name, version: '1.0.0', type: 'module', exports, dependencies }),
    );
    write(`${workspace}/src/index.ts`, 'export const index = 1;');
    symlinkSync(path.join(folder, workspace), path.join(folder, 'node_modules', name));
  }
  for (const file of [
    'schema/src/inner.ts',
    'schema/src/agent-wire.ts',
    'control-plane/src/database/generated/client.ts',
    'control-plane/test/harness.ts',
    'control-plane/src/vm/vm.test.ts',
  ])
    write(`packages/${file}`, 'export const inner = 1;');
  write('packages/client/src/e.ts', "export * from './d.js';");
  for (const [file, imports] of PLANTED)
    write(file, `import * as other from '${imports}';\nexport const use = other;\n`);
}

describe('the layers of this checkout', () => {
  it('are kept', { timeout: 60_000 }, async () => {
    expect(await violationsIn(CHECKOUT)).toEqual([]);
  });

  it('come with a reason for every rule', () => {
    for (const { name, comment } of config.forbidden) expect(comment, name).toMatch(/\w{3,}/);
  });
});

describe('a planted violation', () => {
  let folder: string;
  let violations: string[];
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'kvorum-layers-'));
    plantProject(folder);
    violations = await violationsIn(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(PLANTED)('%s importing %s: %s', (file, _imports, rule) => {
    const rules = violations.filter((one) => one.includes(` ${file} -> `)).map((one) => one.split(':')[0]);
    if (rule === null) expect(rules).toEqual([]);
    else expect(rules).toContain(rule);
  });

  it('is planted for every rule there is', () => {
    expect([...new Set(PLANTED.flatMap(([, , rule]) => rule ?? []))].sort()).toEqual(
      config.forbidden.map(({ name }) => name).sort(),
    );
  });
});
