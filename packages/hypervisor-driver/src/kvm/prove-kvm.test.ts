import { existsSync } from 'node:fs';
import type { KvmVerdict } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { KvmProbeResult } from './probe-kvm.js';
import { judgeKvm } from './prove-kvm.js';
import { runTestGuest, type TestGuestResult } from './run-test-guest.js';
import { type GuestExit, runRefusal, TEST_GUEST_PLAN } from './test-guest-plan.js';

const io: GuestExit = { reason: 2, io: { direction: 1, sizeBytes: 1, port: 0x3f8, data: 0x4b } };
const halt: GuestExit = { reason: 5, io: null };
const answered: KvmProbeResult = {
  kind: 'answered',
  probe: { apiVersion: 12, extensions: { USER_MEMORY: 1 }, supportedCpuidEntryCount: 40 },
};
const oldApi: KvmProbeResult = { kind: 'answered', probe: { ...answered.probe, apiVersion: 11 } };
const absent: KvmProbeResult = { kind: 'absent', reason: '/dev/kvm is not there' };
const refused: KvmProbeResult = { kind: 'failed', reason: '/dev/kvm cannot be opened: EACCES' };
const ran: TestGuestResult = { kind: 'ran', exits: [io, halt], answer: 0xb4 };

describe('the proof of KVM', () => {
  it.each<[string[], KvmProbeResult, TestGuestResult | null, KvmVerdict, string | null]>([
    [['vmx'], answered, ran, 'proven', null],
    [['svm'], answered, ran, 'proven', null],
    [['vmx'], absent, null, 'disabled', 'flags without /dev/kvm: disabled in firmware or module not loaded'],
    [[], absent, null, 'absent', 'neither VT-x/AMD-V flags nor /dev/kvm'],
    [['vmx'], refused, null, 'failed', '/dev/kvm cannot be opened: EACCES'],
    [
      ['hypervisor'],
      answered,
      ran,
      'software-nested',
      '/dev/kvm without VT-x/AMD-V flags: software-nested, not trusted',
    ],
    [['vmx'], oldApi, ran, 'failed', 'KVM API version 11 instead of 12'],
    [['vmx'], answered, null, 'failed', 'no test guest was run'],
    [[], answered, { kind: 'failed', reason: 'KVM_RUN: errno 14' }, 'failed', 'KVM_RUN: errno 14'],
    [['vmx'], answered, { kind: 'failed', reason: 'KVM_RUN: errno 14' }, 'failed', 'KVM_RUN: errno 14'],
    [['vmx'], answered, { kind: 'ran', exits: [halt], answer: 0xb4 }, 'failed', 'first exit is reason 5, not I/O'],
  ])('with flags %j, %o and %o is %s: %s', (flags, probe, guest, verdict, refusal) => {
    const facts = judgeKvm(flags, probe, guest);
    expect([facts.isProven, facts.verdict]).toEqual([verdict === 'proven', verdict]);
    if (refusal !== null) expect(facts.reason).toBe(refusal);
    expect(facts.apiVersion).toBe(probe.kind === 'answered' ? probe.probe.apiVersion : null);
  });

  const otherLetter: GuestExit = { reason: 2, io: { direction: 1, sizeBytes: 1, port: 0x3f8, data: 0 } };
  it.each<[string, GuestExit[], string]>([
    ['none', [], 'first exit is missing, not I/O'],
    [
      'output of another value',
      [otherLetter, halt],
      "the guest's output arrived as direction 1, 1 bytes, port 1016, value 0",
    ],
    ['output and no halt', [io], 'second exit is missing, not HLT'],
    ['a shutdown instead of a halt', [io, { reason: 8, io: null }], 'second exit is reason 8, not HLT'],
    ['one too many', [io, halt, halt], '3 exits instead of 2'],
  ])('refuses the exits of a guest: %s', (_what, exits, refusal) => {
    expect(runRefusal({ exits, answer: 0xb4 })).toBe(refusal);
  });
});

describe('the page of the test guest', () => {
  it.each([0, 0x4b, 0xff])('with the answer %d in it is refused', (answer) => {
    expect(runRefusal({ exits: [io, halt], answer })).toBe(
      `the guest's page holds ${answer} where it had to write 180`,
    );
  });
});

describe.skipIf(!existsSync('/dev/kvm'))('the test guest (needs /dev/kvm)', () => {
  it('makes its I/O and HLT exits and writes its answer', async () => {
    expect(await runTestGuest()).toEqual({ kind: 'ran', exits: [io, halt], answer: 0xb4 });
  });

  it('that never leaves guest mode is ended after the time limit', async () => {
    // jmp $
    const endless = { ...TEST_GUEST_PLAN, code: [0xeb, 0xfe] };
    const limitMs = 1_500;
    expect(await runTestGuest(limitMs, endless)).toEqual({
      kind: 'failed',
      reason: `the test guest did not end within ${limitMs} ms`,
    });
  });

  it('that cannot be made says which call failed', async () => {
    const broken = { ...TEST_GUEST_PLAN, numbers: { ...TEST_GUEST_PLAN.numbers, KVM_CREATE_VCPU: 0xaeff } };
    expect(await runTestGuest(undefined, broken)).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('KVM_CREATE_VCPU'),
    });
  });
});

describe('the test guest without a device', () => {
  it('is a failure with a reason, not an exception', async () => {
    const result = await runTestGuest(undefined, { ...TEST_GUEST_PLAN, device: '/nonexistent/kvm' });
    expect(result).toMatchObject({ kind: 'failed', reason: expect.stringContaining('ENOENT') });
  });
});
