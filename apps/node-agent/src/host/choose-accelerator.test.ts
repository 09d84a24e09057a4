import type { HostFacts } from '@kvorum/schema';
import { expect, it } from 'vitest';
import { acceleratorsOf } from './choose-accelerator.js';

it.each([
  [true, false, ['kvm']],
  [true, true, ['kvm', 'tcg']],
  [false, true, ['tcg']],
  [false, false, []],
] as const)('with kvm proven: %s and emulation allowed: %s a host offers %j', (isProven, allowEmulation, expected) => {
  expect(acceleratorsOf({ kvm: { isProven } } as HostFacts, allowEmulation)).toEqual(expected);
});
