import { DomainError, type HostId } from '@kvorum/schema';
import { expect, it } from 'vitest';
import { HostTrust } from './host-trust.js';

const peer = { spiffeId: 'spiffe://kvorum/site/s/host/h', fingerprintSha256: 'ab' };
const HOST = 'h' as HostId;

function trustWith(answers: (HostId | Error)[]) {
  const clock = { nowMs: 0 };
  let askedCount = 0;
  const trust = new HostTrust(
    async () => {
      askedCount += 1;
      const answer = answers.shift() ?? HOST;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    () => clock.nowMs,
  );
  return { trust, clock, askedCount: () => askedCount };
}

it('asks once for questions within a second, and again after it', async () => {
  const { trust, clock, askedCount } = trustWith([]);
  expect(await Promise.all([trust.hostOf(peer), trust.hostOf(peer)])).toEqual([HOST, HOST]);
  clock.nowMs = 999;
  await trust.hostOf(peer);
  expect(askedCount()).toBe(1);
  clock.nowMs = 1000;
  await trust.hostOf(peer);
  expect(askedCount()).toBe(2);
});

it('does not take one certificate for another', async () => {
  const { trust, askedCount } = trustWith([]);
  await trust.hostOf(peer);
  await trust.hostOf({ ...peer, fingerprintSha256: 'cd' });
  await trust.hostOf({ ...peer, spiffeId: 'spiffe://kvorum/site/s/host/i' });
  expect(askedCount()).toBe(3);
});

it('asks anew after it was told to forget', async () => {
  const { trust, askedCount } = trustWith([]);
  await trust.hostOf(peer);
  trust.forget(peer);
  await trust.hostOf(peer);
  expect(askedCount()).toBe(2);
});

it('refuses within a second of a revocation and never remembers a refusal', async () => {
  const refusal = new DomainError('host_not_trusted', 'revoked');
  const { trust, clock } = trustWith([HOST, refusal, HOST]);
  await trust.hostOf(peer);
  clock.nowMs = 1001;
  await expect(trust.hostOf(peer)).rejects.toBe(refusal);
  expect(await trust.hostOf(peer)).toBe(HOST);
});
