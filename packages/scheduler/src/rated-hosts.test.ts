import { describe, expect, it } from 'vitest';
import { RatedHosts } from './rated-hosts.js';

/** Hosts 3, 5, 7 and 9; of 5 and 9 only a bound is known. */
function rated(): RatedHosts {
  const hosts = new RatedHosts(10);
  hosts.hosts.set([3, 5, 7, 9]);
  hosts.totalMax.set([2, 4, 2, 3]);
  hosts.count = 4;
  return hosts;
}
const TOTALS = new Map([
  [3, 2],
  [5, 1],
  [7, 2],
  [9, 3],
]);
const totalOf = (index: number): number => TOTALS.get(index) ?? Number.NaN;
const anybody = () => true;

describe('rated hosts', () => {
  it('give the largest total, not the largest bound', () => {
    expect(rated().best(totalOf, anybody)).toBe(9);
  });

  it('give the first of equals once better ones were dropped, and nobody once all were', () => {
    const hosts = rated();
    const order: number[] = [];
    for (let best = hosts.best(totalOf, anybody); best >= 0; best = hosts.best(totalOf, anybody)) {
      order.push(best);
      hosts.drop(best);
    }
    expect(order).toEqual([9, 3, 7, 5]);
  });

  it('never give a host that is not admitted', () => {
    expect(rated().best(totalOf, (index) => index === 5)).toBe(5);
    expect(rated().best(totalOf, () => false)).toBe(-1);
  });

  it('know nothing beyond what was noted last', () => {
    const hosts = rated();
    hosts.count = 1;
    expect(hosts.best(totalOf, anybody)).toBe(3);
  });
});
