import { describe, expect, it } from 'vitest';
import { listFiles, readText } from './checkout.js';

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}
const GOLDEN = 'tests/architecture/dependency-graph.golden.txt';
const SCOPE = '@kvorum/';

/** "a -> b" for each workspace that declares another, sorted. */
const edgesOf = (manifests: readonly Manifest[]): string[] =>
  manifests
    .flatMap(({ name, dependencies = {} }) =>
      Object.keys(dependencies)
        .filter((other) => other.startsWith(SCOPE))
        .map((other) => `${name.slice(SCOPE.length)} -> ${other.slice(SCOPE.length)}`),
    )
    .sort();

/** The edges that are part of a cycle: what is left when leaves are taken away for as long as there are any. */
function cyclicEdges(edges: readonly string[]): string[] {
  let left = edges.map((edge) => edge.split(' -> ') as [string, string]);
  for (;;) {
    const dependents = new Set(left.map(([from]) => from));
    const next = left.filter(([, to]) => dependents.has(to));
    if (next.length === left.length) return left.map((edge) => edge.join(' -> '));
    left = next;
  }
}

describe('who depends on whom', () => {
  const manifests = listFiles()
    .filter((file) => /^(packages|apps)\/[^/]+\/package\.json$/.test(file))
    .map((file) => JSON.parse(readText(file)) as Manifest);
  const edges = edgesOf(manifests);

  it('is as agreed: a new edge is a decision, written into the golden file', () => {
    expect(`${edges.join('\n')}\n`).toBe(readText(GOLDEN));
  });

  it('has no cycle', () => {
    expect(cyclicEdges(edges)).toEqual([]);
  });

  it.each([
    [['a -> b', 'b -> c'], []],
    [
      ['a -> b', 'b -> c', 'c -> b'],
      ['b -> c', 'c -> b'],
    ],
    [['a -> a'], ['a -> a']],
  ])('%j has the cycle %j', (planted, cycle) => {
    expect(cyclicEdges(planted)).toEqual(expect.arrayContaining(cycle));
    expect(cyclicEdges(planted).length > 0).toBe(cycle.length > 0);
  });

  it('is read from what each workspace declares', () => {
    const planted = [{ name: '@kvorum/a', dependencies: { '@kvorum/b': '1', zod: '4' } }, { name: '@kvorum/b' }];
    expect(edgesOf(planted)).toEqual(['a -> b']);
  });
});
