import { createHash, X509Certificate } from 'node:crypto';
import type { DomainError, HostId } from '@kvorum/schema';
import { Accelerator, HostReport } from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHost, aName, aProject } from '../../test/world/fleet-builder.js';
import { makeHostKey } from '../../test/world/host-key.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { reconcileLostHosts } from '../reconcilers/lost-hosts.reconciler.js';
import { authoriseHost } from './authorise-host.js';
import { createEnrolment } from './create-enrolment.js';
import { cordonHost, getHost, listHosts, revokeHost, uncordonHost } from './hosts.js';
import { observeHostReport } from './observe-host-report.js';
import { redeemEnrolment } from './redeem-enrolment.js';

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

const enrolment = async (hostName = aName('host'), validForSeconds = 3600) => {
  const made = await createEnrolment(test.cp, test.admin, { hostName, validForSeconds, labels: { rack: 'r1' } });
  return { ...made, hostName, joinSecret: made.joinToken.split('.')[2] ?? '' };
};
const redeem = async (from: { joinSecret: string; hostName: string }, csrPem?: string, address = '127.0.0.1:7000') =>
  redeemEnrolment(test.cp, { ...from, csrPem: csrPem ?? (await makeHostKey()).csrPem, address });
const peerOf = (hostId: string, certificatePem: string) => ({
  spiffeId: test.cp.authority.spiffeIdOfHost(hostId),
  fingerprintSha256: new X509Certificate(certificatePem).fingerprint256.replaceAll(':', '').toLowerCase(),
});
const enrolled = async (hostName?: string) => {
  const answer = await redeem(await enrolment(hostName));
  return { ...answer, hostId: answer.hostId as HostId, peer: peerOf(answer.hostId, answer.certificatePem) };
};
let generation = 0;
const report = (changes: Parameters<typeof HostReport.fromPartial>[0] = {}) => {
  generation += 1;
  return HostReport.fromPartial({ reportGeneration: generation, ...changes });
};

describe('an enrolment', () => {
  it('carries the fingerprint of the CA and a secret of which only the hash is kept', async () => {
    const { joinToken, joinSecret, agentCommand, id } = await enrolment();
    expect(joinToken).toBe(`kvj1.${test.cp.authority.caFingerprintSha256}.${joinSecret}`);
    expect(agentCommand).not.toContain(joinSecret);
    const [row] = await test.sql<{ hash: Buffer; row: string }>(
      'SELECT secret_sha256 AS hash, e::text AS row FROM host_enrolments e WHERE id = $1',
      [id],
    );
    expect(row?.hash).toEqual(createHash('sha256').update(joinSecret).digest());
    expect(row?.row).not.toContain(joinSecret);
  });

  it('takes a host in, with its labels, and says where to report', async () => {
    const from = await enrolment();
    const answer = await redeem(from);
    expect(answer).toMatchObject({ siteId: test.cp.siteId, gatewayAddress: test.cp.gatewayAddress });
    expect(await getHost(test.cp, test.admin, answer.hostId as HostId)).toMatchObject({
      name: from.hostName,
      state: 'active',
      connectivity: 'unreachable',
      address: '127.0.0.1:7000',
      labels: { rack: 'r1' },
    });
  });

  it('answers the same request again with the same certificate, also many at once', async () => {
    const from = await enrolment();
    const { csrPem } = await makeHostKey();
    const answers = await Promise.all(Array.from({ length: 6 }, () => redeem(from, csrPem)));
    expect(new Set(answers.map((answer) => answer.certificatePem)).size).toBe(1);
    expect(await redeem(from, csrPem)).toEqual(answers[0]);
  });

  it('lets one of two hosts in that show the same secret', async () => {
    const from = await enrolment();
    const ends = await Promise.allSettled(Array.from({ length: 5 }, () => redeem(from)));
    const codes = ends.map((end) => (end.status === 'fulfilled' ? 'in' : (end.reason as DomainError).code));
    expect(codes.sort()).toEqual(['in', ...Array.from({ length: 4 }, () => 'unauthenticated')]);
    const certificates = await test.sql(
      'SELECT 1 FROM host_certificates c JOIN hosts h ON h.id = c.host_id WHERE h.name = $1',
      [from.hostName],
    );
    expect(certificates).toHaveLength(1);
  });

  it.each<[string, (from: Awaited<ReturnType<typeof enrolment>>) => Promise<unknown>, string]>([
    ['another host name', (from) => redeem({ ...from, hostName: aName('other') }), 'unauthenticated'],
    ['an unknown secret', (from) => redeem({ ...from, joinSecret: 'A'.repeat(43) }), 'unauthenticated'],
    ['no secret', (from) => redeem({ ...from, joinSecret: '' }), 'invalid_request'],
    ['a name that is a path', (from) => redeem({ ...from, hostName: '../x' }), 'invalid_request'],
    ['an address that is a socket', (from) => redeem(from, undefined, 'unix:/run/docker.sock'), 'invalid_request'],
    ['no certificate request', (from) => redeem(from, 'x'), 'invalid_request'],
  ])('refuses %s and stays usable', async (_, attempt, code) => {
    const from = await enrolment();
    await expect(attempt(from)).rejects.toMatchObject({ code });
    await expect(redeem(from)).resolves.toMatchObject({ siteId: test.cp.siteId });
  });

  it('is refused once it has expired', async () => {
    const from = await enrolment();
    await test.sql(`UPDATE host_enrolments SET expires_at = now() - interval '1 second' WHERE id = $1`, [from.id]);
    await expect(redeem(from)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('the trust in a host', () => {
  it('rests on the very certificate it was given', async () => {
    const one = await enrolled();
    const two = await enrolled();
    expect(await authoriseHost(test.cp, one.peer)).toBe(one.hostId);
    for (const peer of [
      { ...one.peer, spiffeId: two.peer.spiffeId },
      { ...one.peer, spiffeId: test.cp.authority.controlPlaneSpiffeId },
      { ...one.peer, fingerprintSha256: '0'.repeat(64) },
      { ...one.peer, fingerprintSha256: "' OR 1=1" },
    ]) {
      await expect(authoriseHost(test.cp, peer)).rejects.toMatchObject({ code: 'host_not_trusted' });
    }
  });

  it('ends with its revocation, and begins anew with a new enrolment under the same id', async () => {
    const first = await enrolled();
    const { name } = await revokeHost(test.cp, test.admin, first.hostId);
    await expect(authoriseHost(test.cp, first.peer)).rejects.toMatchObject({ code: 'host_not_trusted' });
    await expect(observeHostReport(test.cp, first.hostId, report())).rejects.toMatchObject({
      code: 'host_not_trusted',
    });
    await expect(uncordonHost(test.cp, test.admin, first.hostId)).rejects.toMatchObject({ code: 'conflict_state' });
    const second = await enrolled(name);
    expect(second.hostId).toBe(first.hostId);
    expect(await authoriseHost(test.cp, second.peer)).toBe(first.hostId);
    await expect(authoriseHost(test.cp, first.peer)).rejects.toMatchObject({ code: 'host_not_trusted' });
    expect((await getHost(test.cp, test.admin, first.hostId)).state).toBe('active');
  });

  it('ends with the certificate', async () => {
    const { hostId, peer } = await enrolled();
    await test.sql(`UPDATE host_certificates SET expires_at = now() - interval '1 second' WHERE host_id = $1`, [
      hostId,
    ]);
    await expect(authoriseHost(test.cp, peer)).rejects.toMatchObject({ code: 'host_not_trusted' });
  });
});

describe('a host', () => {
  it('is cordoned with a reason and taken back, guarded by its generation', async () => {
    const { hostId } = await enrolled();
    const cordoned = await cordonHost(test.cp, test.admin, hostId, 'new memory', { ifMatch: 1 });
    expect(cordoned).toMatchObject({ state: 'cordoned', cordonReason: 'new memory', generation: 2 });
    await expect(uncordonHost(test.cp, test.admin, hostId, { ifMatch: 1 })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    expect(await cordonHost(test.cp, test.admin, hostId, 'new memory')).toEqual(cordoned);
    expect(await uncordonHost(test.cp, test.admin, hostId, { ifMatch: 2 })).toMatchObject({
      state: 'active',
      cordonReason: null,
    });
    const events = await test.sql(
      `SELECT data->>'to' AS "to" FROM events WHERE resource_id = $1 AND type = 'host.state' ORDER BY seq`,
      [hostId],
    );
    expect(events).toEqual([{ to: 'cordoned' }, { to: 'active' }]);
  });

  it('is not for tokens of one project to see', async () => {
    const operator = await test.actor('operator', (await aProject(test)).id);
    await expect(listHosts(test.cp, operator, { limit: 10 })).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('is listed page by page, each once', async () => {
    for (let count = 0; count < 5; count += 1) await aHost(test);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listHosts(test.cp, test.admin, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.items.map((host) => host.id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    const all = await test.sql<{ id: string }>('SELECT id FROM hosts ORDER BY id');
    expect(seen).toEqual(all.map((row) => row.id));
  });
});

describe('reports of a host', () => {
  const FACTS = {
    kernel: '6.1',
    cpuVendor: 'x',
    cpuModel: 'x',
    hostCpuCount: 4,
    memoryBytes: 8,
    kvm: { isProven: false, reason: 'x' },
  };

  it('connect it and say what it has; later ones without facts change neither', async () => {
    const { hostId } = await enrolled();
    const capacity = { vcpuCount: 4, memoryBytes: 8, diskBytes: 16 };
    const told = {
      facts: FACTS,
      accelerator: Accelerator.ACCELERATOR_TCG,
      capacity,
      agentVersion: '1',
      address: '127.0.0.1:7001',
    };
    expect(await observeHostReport(test.cp, hostId, report(told))).toEqual({ leaseMs: 10_000 });
    await observeHostReport(test.cp, hostId, report());
    expect(await getHost(test.cp, test.admin, hostId)).toMatchObject({
      connectivity: 'connected',
      accelerator: 'tcg',
      capacity,
      address: '127.0.0.1:7001',
      facts: { kernel: '6.1' },
      generation: 1,
    });
  });

  it('are ignored when a newer one was seen', async () => {
    const { hostId } = await enrolled();
    const [old, current] = [report({ agentVersion: 'old' }), report({ agentVersion: 'new' })];
    await observeHostReport(test.cp, hostId, current);
    await observeHostReport(test.cp, hostId, old);
    expect((await getHost(test.cp, test.admin, hostId)).agentVersion).toBe('new');
  });

  it('are missed after the lease, once, and heard again', async () => {
    const { hostId } = await enrolled();
    const connectivity = async () => (await getHost(test.cp, test.admin, hostId)).connectivity;
    await observeHostReport(test.cp, hostId, report());
    await reconcileLostHosts(test.cp);
    expect(await connectivity()).toBe('connected');
    await test.sql(`UPDATE hosts SET last_report_at = now() - interval '11 seconds' WHERE id = $1`, [hostId]);
    await reconcileLostHosts(test.cp);
    await reconcileLostHosts(test.cp);
    expect(await connectivity()).toBe('unreachable');
    await observeHostReport(test.cp, hostId, report());
    expect(await connectivity()).toBe('connected');
    const events = await test.sql(
      `SELECT data->>'to' AS "to" FROM events WHERE resource_id = $1 AND type = 'host.connectivity' ORDER BY seq`,
      [hostId],
    );
    expect(events).toEqual([{ to: 'connected' }, { to: 'unreachable' }, { to: 'connected' }]);
  });

  it('of an agent that enrolled anew count from the beginning', async () => {
    const { hostId } = await enrolled();
    await observeHostReport(test.cp, hostId, report({ reportGeneration: 900_000 }));
    const { name } = await getHost(test.cp, test.admin, hostId);
    await enrolled(name);
    await observeHostReport(test.cp, hostId, report({ reportGeneration: 1, agentVersion: 'again' }));
    expect((await getHost(test.cp, test.admin, hostId)).agentVersion).toBe('again');
  });
});
