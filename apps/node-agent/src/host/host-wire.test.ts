import { FakeMachine } from '@kvorum/hypervisor-driver';
import { HostFacts, Switch } from '@kvorum/schema/agent-wire';
import { expect, it } from 'vitest';
import { toWireFacts } from './host-wire.js';

const { facts } = new FakeMachine();

it('facts survive the wire', () => {
  const wire = toWireFacts(facts);
  expect(HostFacts.decode(HostFacts.encode(wire).finish())).toEqual(wire);
  expect(wire.kvm?.verdict).toBe('proven');
  expect(wire.hardware?.cores).toEqual(facts.hardware?.cores);
});

it.each([
  [true, Switch.SWITCH_ON],
  [false, Switch.SWITCH_OFF],
  [null, Switch.SWITCH_UNSPECIFIED],
])('a switch that is %s is %d there', (isOn, expected) => {
  if (facts.hardware === null) throw new TypeError('the fake host has hardware');
  const virtualisation = { ...facts.hardware.virtualisation, isNestingOn: isOn, isNestedPagingOn: isOn };
  const wire = toWireFacts({ ...facts, hardware: { ...facts.hardware, virtualisation } });
  expect(wire.hardware?.virtualisation).toMatchObject({ nestingSwitch: expected, nestedPagingSwitch: expected });
});

it('distances go row by row, and what is not known is empty', () => {
  if (facts.hardware === null) throw new TypeError('the fake host has hardware');
  const hardware = {
    ...facts.hardware,
    microcode: null,
    numaDistances: [
      [10, 21],
      [20, 10],
    ],
  };
  const wire = toWireFacts({ ...facts, kvm: { ...facts.kvm, verdict: null }, hardware });
  expect(wire.hardware).toMatchObject({ microcode: '', numaDistances: [10, 21, 20, 10] });
  expect(wire.kvm?.verdict).toBe('');
  expect(toWireFacts({ ...facts, hardware: null }).hardware).toBeUndefined();
});
