import ts from 'typescript';

/** A source file as the rules see it: its path from the root, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}
/** One rule: what is wrong with a file, in a sentence per finding. */
export type TidyRule = (file: SourceFile) => readonly string[];

/** What a file should stay below; longer ones are listed by name in tidy.test.ts. */
export const LINES_AIMED = 250;
const LINES_MAX = 400;
/** Tables of cases are long and read easily. */
const TEST_LINES_MAX = 600;
/** One screen. */
const FUNCTION_LINES_MAX = 70;

export const isTest = (path: string): boolean =>
  /\.test\.ts$/.test(path) || /^(packages|apps)\/[^/]+\/test\//.test(path) || path.startsWith('tests/');
const isScript = (path: string): boolean =>
  path.startsWith('scripts/') ||
  path.startsWith('deploy/') ||
  path.startsWith('.ci/') ||
  /(^|\/)[\w.-]+\.config\.ts$/.test(path);
const isProduct = (path: string): boolean => !isTest(path) && !isScript(path);

export const countLines = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

export const fileLength: TidyRule = ({ path, text }) => {
  const lines = countLines(text);
  const max = isTest(path) ? TEST_LINES_MAX : LINES_MAX;
  return lines > max ? [`has ${lines} lines; ${max} is the most`] : [];
};

/** Of the product only: a `describe` is a function too, and as long as its cases. */
export const functionLength: TidyRule = ({ path, text }) => {
  if (!isProduct(path) || !path.endsWith('.ts')) return [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const findings: string[] = [];
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const first = lineOf(node.getStart(source));
      const lines = lineOf(node.end) - first + 1;
      if (lines > FUNCTION_LINES_MAX)
        findings.push(`line ${first}: a function of ${lines} lines; ${FUNCTION_LINES_MAX} is the most`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
};

/** Names that say nothing: whatever would go there has a noun of its own. */
const EMPTY_NAMES = [
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'misc',
  'shared',
  'manager',
  'service',
  'base',
  'v2',
  'legacy',
];
const ROLES = ['route', 'operation', 'store', 'reconciler', 'rpc', 'schema', 'contract', 'test', 'config', 'd'];

export const fileName: TidyRule = ({ path }) => {
  const parts = path.split('/');
  const [stem = '', ...roles] = (parts.at(-1) ?? '')
    .replace(/^\./, '')
    .replace(/\.(ts|mjs|cjs)$/, '')
    .split('.');
  const words = [...parts.slice(0, -1), stem].flatMap((part) => part.split(/[-_.]/));
  return [
    ...(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem) || stem === '' ? [] : [`"${stem}" is not in kebab-case`]),
    ...words.filter((word) => EMPTY_NAMES.includes(word)).map((word) => `"${word}" says nothing; find the noun`),
    ...roles
      .filter((role) => !ROLES.includes(role))
      .map((role) => `".${role}" is not one of the roles ${ROLES.join(', ')}`),
    ...(stem === 'index' && !/^(packages|apps)\/[^/]+\/src\/index\.ts$/.test(path)
      ? ['an index outside a package root']
      : []),
  ];
};

/** An index says what a package offers; whatever it did itself could not be found by its name. */
export const indexOnlyReexports: TidyRule = ({ path, text }) => {
  if (!path.endsWith('/src/index.ts')) return [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return source.statements
    .filter((statement) => !(ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined))
    .map((statement) => `an index does more than re-export: ${statement.getText(source).split('\n')[0]}`);
};

const perLine =
  (pattern: RegExp, message: string, applies: (path: string) => boolean): TidyRule =>
  ({ path, text }) =>
    applies(path)
      ? text.split('\n').flatMap((line, at) => (pattern.test(line) ? [`line ${at + 1}: ${message}`] : []))
      : [];

const everywhere = (): boolean => true;

// Written in two parts where the rule would otherwise find itself.
export const noLooseEnds = perLine(
  new RegExp(`\\b(TO${'DO'}|FIX${'ME'}|XX${'X'}|HA${'CK'})\\b`),
  'a loose end; tie it or record it where it is planned',
  everywhere,
);
/** Plain .mjs files of the product are programs of their own: their errors end a child process, as text. */
export const noPlainErrors = perLine(
  /\bthrow new Error\(/,
  'operating failures are DomainError, broken invariants RangeError or TypeError',
  (path) => isProduct(path) && path.endsWith('.ts'),
);
export const noAmbientEnvironment = perLine(
  /\bprocess\.env\b/,
  'only main.ts reads the environment, once',
  (path) => isProduct(path) && !/^apps\/[^/]+\/src\/main\.ts$/.test(path),
);
export const noMachinePaths = perLine(
  new RegExp(`(^|[\\s'"\`(=:])/(wo${'rk'}|ho${'me'}|ro${'ot'}|Us${'ers'})/`),
  "a path of somebody's machine",
  everywhere,
);
/** Who holds a transaction could write anything; so calls that reach the database are looked for by their form. */
export const sqlInStoresOnly = perLine(
  /\.\$(queryRaw|executeRaw)|\b(tx|db|database)\.[a-z]\w*\.(find|create|update|delete|upsert|count|aggregate|groupBy)\w*\(/,
  'SQL outside a store',
  (path) => isProduct(path) && !/\.store\.ts$/.test(path) && !path.startsWith('packages/control-plane/src/database/'),
);
export const noTypeEscapes = perLine(
  new RegExp(`@ts-(ig${'nore'}|no${'check'})|eslint-dis${'able'}`),
  'the checker is silenced',
  everywhere,
);

export const TIDY_RULES = {
  fileLength,
  functionLength,
  fileName,
  indexOnlyReexports,
  noLooseEnds,
  noPlainErrors,
  noAmbientEnvironment,
  noMachinePaths,
  sqlInStoresOnly,
  noTypeEscapes,
} as const satisfies Readonly<Record<string, TidyRule>>;
