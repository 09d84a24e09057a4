import { describe, expect, it } from 'vitest';
import { listFiles, readText } from './checkout.js';
import { countLines, isTest, LINES_AIMED, type SourceFile, TIDY_RULES } from './tidy-rules.js';

/**
 * Longer than they should be, each for the time being. The list may shrink: a file that has come below leaves it, and a
 * new one needs a reason good enough to be written here.
 */
const LONGER_THAN_AIMED: readonly string[] = [
  // The state machine of one VM; its rules are in files of their own already.
  'apps/node-agent/src/vm/vm-actor.ts',
  // Every change of one process, in the order of its life; splitting it would spread one mutable state over two files.
  'apps/node-agent/src/vm/vm-process.ts',
  // What is admitted of each demand, case by case: one table, and the text that goes with it.
  'apps/node-agent/src/vm/vm-actor-rules.ts',
  // Claim, run and unwind, one after the other, in the order of an operation's life.
  'packages/control-plane/src/operations/operation-runner.ts',
  // One view of the fleet, and each way in which it is asked and brought up to date.
  'packages/control-plane/src/host/fleet-snapshot.ts',
  // What a hypervisor remembers, in memory; every fake of the port works on it.
  'packages/hypervisor-driver/src/fake/fake-machine.ts',
  // One method for each of the port RunningVm, over one run; what is not about that run has files of its own.
  'packages/hypervisor-driver/src/qemu/qemu-vm.ts',
  // The columns of all hosts and each way in which one changes; two classes would have to keep each other current.
  'packages/scheduler/src/fleet/fleet.ts',
];

const sources = (): SourceFile[] =>
  listFiles()
    .filter((file) => /\.(ts|mjs|cjs)$/.test(file))
    .map((path) => ({ path, text: readText(path) }));

/** Files with a function that is longer than one screen; the same holds for this list. */
const WITH_LONG_FUNCTION: readonly string[] = [
  // A keeper made of closures over one map; each of them is short.
  'packages/control-plane/src/operations/lease-keeper.ts',
];

describe('the sources', () => {
  const files = sources();

  it('are found', () => {
    const found = files.map(({ path }) => path);
    expect(found).toContain('packages/scheduler/src/place.ts');
    expect(found).toContain('apps/cli/src/main.ts');
    expect(found.filter((path) => path.includes('/generated/') || path.includes('/dist/'))).toEqual([]);
  });

  const { functionLength, ...absolute } = TIDY_RULES;
  it.each(Object.entries(absolute))('keep the rule %s', (_name, rule) => {
    expect(files.flatMap((file) => rule(file).map((finding) => `${file.path}: ${finding}`))).toEqual([]);
  });

  it('have no function longer than a screen, but for those on the list', () => {
    const found = files.filter((file) => functionLength(file).length > 0).map(({ path }) => path);
    expect(found.sort()).toEqual([...WITH_LONG_FUNCTION].sort());
  });

  it(`are of at most ${LINES_AIMED} lines, but for those on the list`, () => {
    const longer = files.filter(({ path, text }) => !isTest(path) && countLines(text) > LINES_AIMED);
    expect(longer.map(({ path }) => path).sort()).toEqual([...LONGER_THAN_AIMED].sort());
  });
});

describe('each rule finds what it is for, and nothing else', () => {
  const lines = (count: number) => 'x;\n'.repeat(count);
  const aFunction = (count: number) => `function f() {\n${lines(count - 2)}}\n`;
  const PRODUCT = 'packages/a/src/b.ts';
  const TEST = 'packages/a/src/b.test.ts';
  const table: [rule: keyof typeof TIDY_RULES, path: string, text: string, findings: number][] = [
    ['fileLength', PRODUCT, lines(400), 0],
    ['fileLength', PRODUCT, lines(401), 1],
    ['fileLength', TEST, lines(600), 0],
    ['fileLength', TEST, lines(601), 1],
    ['functionLength', PRODUCT, aFunction(70), 0],
    ['functionLength', PRODUCT, aFunction(71), 1],
    ['functionLength', PRODUCT, `const f = async () => {\n${lines(70)}};`, 1],
    ['functionLength', PRODUCT, `class A {\n  m() {\n${lines(70)}  }\n}`, 1],
    ['functionLength', TEST, aFunction(71), 0],
    ['fileName', 'packages/a/src/create-vm.operation.ts', '', 0],
    ['fileName', 'packages/a/src/vm-lifecycle.schema.test.ts', '', 0],
    ['fileName', 'packages/a/src/createVm.ts', '', 1],
    ['fileName', 'packages/a/src/create_vm.ts', '', 1],
    ['fileName', 'packages/a/src/string-utils.ts', '', 1],
    ['fileName', 'packages/a/src/common/vm.ts', '', 1],
    ['fileName', 'packages/a/src/vm.service.ts', '', 1],
    ['fileName', 'packages/a/src/vm-service.ts', '', 1],
    ['fileName', 'packages/a/src/vm/index.ts', '', 1],
    ['fileName', 'packages/a/src/index.ts', '', 0],
    ['fileName', '.dependency-cruiser.cjs', '', 0],
    ['indexOnlyReexports', 'packages/a/src/index.ts', "export { a } from './a.js';\nexport * from './b.js';\n", 0],
    ['indexOnlyReexports', 'packages/a/src/index.ts', "import './a.js';\nexport const b = 1;\n", 2],
    ['indexOnlyReexports', PRODUCT, 'export const b = 1;\n', 0],
    ['noLooseEnds', PRODUCT, `// ${'TO'}DO: later\n`, 1],
    ['noLooseEnds', 'scripts/a.mjs', `// ${'FIX'}ME\n`, 1],
    ['noLooseEnds', PRODUCT, 'const todos = 1;\n', 0],
    ['noPlainErrors', PRODUCT, "throw new Error('x');\n", 1],
    ['noPlainErrors', PRODUCT, "throw new DomainError('bug', 'x');\n", 0],
    ['noPlainErrors', TEST, "throw new Error('x');\n", 0],
    ['noPlainErrors', 'packages/a/test/harness.ts', "throw new Error('x');\n", 0],
    ['noPlainErrors', 'packages/a/src/child.mjs', "throw new Error('x');\n", 0],
    ['noPlainErrors', 'scripts/a.mjs', "throw new Error('x');\n", 0],
    ['noAmbientEnvironment', PRODUCT, 'const a = process.env;\n', 1],
    ['noAmbientEnvironment', 'apps/a/src/config.ts', "process.env['HOME'];\n", 1],
    ['noAmbientEnvironment', 'apps/a/src/main.ts', 'parse(process.env);\n', 0],
    ['noAmbientEnvironment', 'packages/a/src/main.ts', 'parse(process.env);\n', 1],
    ['noMachinePaths', PRODUCT, `const a = '/${'home'}/somebody/x';\n`, 1],
    ['noMachinePaths', 'scripts/a.mjs', `open("/${'work'}/x");\n`, 1],
    ['noMachinePaths', PRODUCT, "const a = '/run/kvorum/x'; const b = 'https://a/home/b';\n", 0],
    ['sqlInStoresOnly', PRODUCT, 'await tx.vm.findMany({});\n', 1],
    ['sqlInStoresOnly', PRODUCT, 'await cp.database.vm.update({});\n', 1],
    ['sqlInStoresOnly', PRODUCT, 'await tx.$executeRaw`DELETE`;\n', 1],
    ['sqlInStoresOnly', 'packages/a/src/vm.store.ts', 'await tx.vm.findMany({});\n', 0],
    ['sqlInStoresOnly', PRODUCT, 'await client.vms.create({});\n', 0],
    ['noTypeEscapes', TEST, `// @ts-${'ignore'}\n`, 1],
    ['noTypeEscapes', TEST, '// @ts-expect-error: a role is required\n', 0],
  ];
  it.each(table)('%s in %s', (rule, path, text, findings) => {
    expect(TIDY_RULES[rule]({ path, text }).length).toBe(findings);
  });

  it('and every rule is tried both ways', () => {
    for (const rule of Object.keys(TIDY_RULES)) {
      const outcomes = new Set(table.filter(([name]) => name === rule).map(([, , , findings]) => findings > 0));
      expect([rule, outcomes.size]).toEqual([rule, 2]);
    }
  });
});
