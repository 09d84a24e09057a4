import type { HostFacts, KvmVerdict } from '@kvorum/schema';
import { expect, it } from 'vitest';
import { acceleratorsOf, factsUnderTrust } from './choose-accelerator.js';

const aHost = (verdict: KvmVerdict | null, isProven = verdict === 'proven') =>
  ({ kvm: { isProven, verdict, reason: 'because' }, findings: [] }) as unknown as HostFacts;

it.each([
  ['proven', {}, ['kvm']],
  ['proven', { allowEmulation: true }, ['kvm', 'tcg']],
  ['absent', { allowEmulation: true }, ['tcg']],
  ['absent', {}, []],
  ['software-nested', {}, []],
  ['software-nested', { trustSoftwareKvm: true }, ['kvm']],
  ['software-nested', { trustSoftwareKvm: true, allowEmulation: true }, ['kvm', 'tcg']],
  ['failed', { trustSoftwareKvm: true }, []],
  ['disabled', { trustSoftwareKvm: true }, []],
  [null, { trustSoftwareKvm: true }, []],
] as const)('a host that is %s, with the operator choosing %j, offers %j', (verdict, choice, expected) => {
  const trust = { allowEmulation: false, trustSoftwareKvm: false, ...choice };
  expect(acceleratorsOf(aHost(verdict), trust)).toEqual(expected);
});

it('trusting software is a finding, and only where it changes something', () => {
  const trust = { allowEmulation: false, trustSoftwareKvm: true };
  expect(factsUnderTrust(aHost('software-nested'), trust).findings).toEqual([
    {
      name: 'software-kvm',
      value: 'trusted',
      evidence: 'the agent runs with --trust-software-kvm; because',
      remedy: expect.stringContaining('without the flag'),
    },
  ]);
  expect(factsUnderTrust(aHost('proven'), trust).findings).toEqual([]);
  expect(factsUnderTrust(aHost('software-nested'), { ...trust, trustSoftwareKvm: false }).findings).toEqual([]);
});
