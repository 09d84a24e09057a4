import { credentials, type ServiceError } from '@grpc/grpc-js';
import { type DomainError, newId } from '@kvorum/schema';
import {
  Accelerator,
  Capacity,
  fromServiceError,
  HostFacts,
  HostReport,
  type ReadImageResponse,
  type ReportReceipt,
  SiteGatewayClient,
} from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../src/gateway/start-gateway.js';
import {
  CONTROL_PLANE_NAME,
  caOf,
  type EnrolledHost,
  enrol,
  enrolledHost,
  makeHostKey,
  newJoinSecret,
} from './enrolled-host.js';
import { openSite, type Site } from './open-site.js';
import { SOON } from './soon.js';

let site: Site;
let gateway: Gateway;
const clients: SiteGatewayClient[] = [];
beforeAll(async () => {
  site = await openSite();
  gateway = await startGateway(site.cp, { gateway: '127.0.0.1:0', enrol: '127.0.0.1:0' });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await gateway.close(1000);
  await site.close();
});

const GIB = 1024 ** 3;
let generation = 0;
const aReport = (fields: Partial<HostReport> = {}): HostReport => {
  generation += 1;
  return HostReport.create({
    reportGeneration: generation,
    facts: HostFacts.create({ kernel: '6.1.0', cpuVendor: 'AuthenticAMD', hostCpuCount: 8, memoryBytes: 16 * GIB }),
    accelerator: Accelerator.ACCELERATOR_TCG,
    capacity: Capacity.create({ vcpuCount: 8, memoryBytes: 16 * GIB, diskBytes: 100 * GIB }),
    agentVersion: '0.1.0',
    address: '127.0.0.1:7000',
    isFull: true,
    ...fields,
  });
};
const newHost = async (name: string): Promise<EnrolledHost> => {
  const host = await enrolledHost(site, gateway, name);
  clients.push(host.gateway);
  return host;
};
/** A stream of reports, with its receipts and its end as things to wait for. */
function openReports(client: SiteGatewayClient) {
  const call = client.streamReports();
  const receipts: ReportReceipt[] = [];
  const ended = new Promise<DomainError | null>((resolve) => {
    call.on('error', (error: ServiceError) => resolve(fromServiceError(error)));
    call.on('end', () => resolve(null));
  });
  call.on('data', (receipt: ReportReceipt) => receipts.push(receipt));
  return { call, receipts, ended };
}
const hostNow = async (hostId: string) => (await site.ask('GET', `/v1/hosts/${hostId}`, { as: 'viewer' })).body;

describe('enrolment', () => {
  it('signs a host in once; the same request again gets the same certificate', async () => {
    const { csrPem } = await makeHostKey();
    const joinSecret = await newJoinSecret(site, 'host-a');
    const request = { joinSecret, hostName: 'host-a', csrPem, address: '127.0.0.1:7000' };
    const first = await enrol(site, gateway, request);
    expect(first).toMatchObject({ siteId: site.cp.siteId, caCertificatePem: site.cp.authority.caCertificatePem });
    expect(await enrol(site, gateway, request)).toEqual(first);
    const { csrPem: other } = await makeHostKey();
    await expect(enrol(site, gateway, { ...request, csrPem: other })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    expect(await hostNow(first.hostId)).toMatchObject({ name: 'host-a', connectivity: 'unreachable', facts: null });
  });

  it.each([
    ['joinSecret', { joinSecret: 'x'.repeat(257) }],
    ['hostName', { hostName: '../host' }],
    ['csrPem', { csrPem: 'x'.repeat(9000) }],
    ['address', { address: 'nowhere' }],
  ])('refuses a %s out of bounds and names it', async (field, fields) => {
    const request = {
      joinSecret: 'x'.repeat(43),
      hostName: 'host-x',
      csrPem: 'x',
      address: '127.0.0.1:7000',
      ...fields,
    };
    await expect(enrol(site, gateway, request)).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ field }] },
    });
  });

  it('makes who guesses join secrets wait', async () => {
    const other = await startGateway(site.cp, { gateway: '127.0.0.1:0', enrol: '127.0.0.1:0' });
    try {
      const { csrPem } = await makeHostKey();
      const guess = (i: number) =>
        enrol(site, other, {
          joinSecret: String(i).padStart(43, 'A'),
          hostName: 'host-y',
          csrPem,
          address: '127.0.0.1:7000',
        });
      for (let i = 0; i < 10; i += 1) await expect(guess(i)).rejects.toMatchObject({ code: 'unauthenticated' });
      await expect(guess(10)).rejects.toMatchObject({
        code: 'rate_limited',
        details: { retryAfterSeconds: expect.any(Number) },
      });
    } finally {
      await other.close(0);
    }
  });
});

describe('the gateway', () => {
  it('takes reports in and answers each with a receipt', async () => {
    const host = await newHost('host-b');
    const { call, receipts, ended } = openReports(host.gateway);
    const first = aReport();
    call.write(first);
    await expect.poll(() => receipts, SOON).toEqual([{ reportGeneration: first.reportGeneration, leaseMs: 10_000 }]);
    expect(await hostNow(host.hostId)).toMatchObject({
      connectivity: 'connected',
      accelerator: 'tcg',
      capacity: { vcpuCount: 8, memoryBytes: 16 * GIB, diskBytes: 100 * GIB },
      facts: { kernel: '6.1.0' },
      agentVersion: '0.1.0',
    });
    call.end();
    expect(await ended).toBeNull();
  });

  it('stores the last of very many reports that come at once, without a receipt for each', async () => {
    const host = await newHost('host-c');
    const { call, receipts } = openReports(host.gateway);
    const reports = Array.from({ length: 150 }, (_, i) =>
      aReport({ capacity: Capacity.create({ vcpuCount: 1 + i, memoryBytes: GIB, diskBytes: GIB }), isFull: i === 0 }),
    );
    for (const report of reports) call.write(report);
    await expect.poll(() => receipts.at(-1)?.reportGeneration, SOON).toBe(reports.at(-1)?.reportGeneration);
    expect(receipts.length).toBeLessThanOrEqual(reports.length);
    expect((await hostNow(host.hostId)).capacity.vcpuCount).toBe(150);
    const order = receipts.map((receipt) => receipt.reportGeneration);
    expect(order).toEqual([...order].sort((left, right) => left - right));
    call.end();
  });

  it.each([
    ['a VM id that is a path', { vms: [{ vmId: '../../x' }] }, 'vms.vmId'],
    ['an address that is none', { address: 'x' }, 'address'],
    ['a CPU model of a novel', { facts: { cpuModel: 'm'.repeat(5000) } }, 'facts.cpuModel'],
  ])('ends a stream that reports %s, and stores nothing of it', async (_case, fields, field) => {
    const host = await newHost(`host-${newId().slice(-8)}`);
    const { call, ended } = openReports(host.gateway);
    call.write(HostReport.fromPartial({ ...aReport(), ...fields }));
    expect(await ended).toMatchObject({ code: 'invalid_request', details: { fields: [{ field }] } });
    expect(await hostNow(host.hostId)).toMatchObject({ connectivity: 'unreachable', facts: null });
  });

  it('ends the older of two streams of one host', async () => {
    const host = await newHost('host-d');
    const older = openReports(host.gateway);
    older.call.write(aReport());
    await expect.poll(() => older.receipts, SOON).toHaveLength(1);
    const newer = openReports(host.gateway);
    newer.call.write(aReport());
    expect(await older.ended).toMatchObject({ code: 'stale_generation' });
    await expect.poll(() => newer.receipts, SOON).toHaveLength(1);
    newer.call.end();
  });

  it('hears a revoked host no more: open streams end at its next report, new ones at once', async () => {
    const host = await newHost('host-e');
    const { call, receipts, ended } = openReports(host.gateway);
    call.write(aReport());
    await expect.poll(() => receipts, SOON).toHaveLength(1);
    const revoked = await site.ask('POST', `/v1/hosts/${host.hostId}/revoke`, { as: 'admin' });
    expect(revoked).toMatchObject({ status: 200, body: { state: 'revoked' } });
    const reporting = setInterval(() => call.write(aReport()), 100);
    expect(await ended).toMatchObject({ code: 'host_not_trusted' });
    clearInterval(reporting);
    expect(await openReports(host.gateway).ended).toMatchObject({ code: 'host_not_trusted' });
  });

  it('refuses whoever has no certificate of a host: none at all, another CA, the control plane itself', async () => {
    const ca = caOf(site);
    const own = await site.cp.authority.identity();
    const bare = new SiteGatewayClient(gateway.gateway, credentials.createSsl(ca), CONTROL_PLANE_NAME);
    const asControlPlane = new SiteGatewayClient(
      gateway.gateway,
      credentials.createSsl(ca, Buffer.from(own.privateKeyPem), Buffer.from(own.certificatePem)),
      CONTROL_PLANE_NAME,
    );
    const stranger = await openSite();
    const strange = await stranger.cp.authority.identity();
    const asStranger = new SiteGatewayClient(
      gateway.gateway,
      credentials.createSsl(ca, Buffer.from(strange.privateKeyPem), Buffer.from(strange.certificatePem)),
      CONTROL_PLANE_NAME,
    );
    clients.push(bare, asControlPlane, asStranger);
    expect(await openReports(asControlPlane).ended).toMatchObject({ code: 'host_not_trusted' });
    // TLS itself turns these away: the peer never speaks gRPC.
    expect(await openReports(bare).ended).toMatchObject({ code: 'host_unreachable' });
    expect(await openReports(asStranger).ended).toMatchObject({ code: 'host_unreachable' });
    await stranger.close();
  });

  it('gives a host no image that it has no VM of, and takes no nonsense for an id', async () => {
    const host = await newHost('host-f');
    const read = (imageId: string) =>
      new Promise<DomainError | null>((resolve) => {
        const call = host.gateway.readImage({ imageId, offset: 0 });
        call.on('data', (_part: ReadImageResponse) => {});
        call.on('error', (error: ServiceError) => resolve(fromServiceError(error)));
        call.on('end', () => resolve(null));
      });
    expect(await read(newId())).toMatchObject({ code: 'not_found' });
    expect(await read('../ca/ca.key')).toMatchObject({ code: 'invalid_request' });
  });

  it('ends all streams when it stops', async () => {
    const other = await startGateway(site.cp, { gateway: '127.0.0.1:0', enrol: '127.0.0.1:0' });
    const host = await enrolledHost(site, other, 'host-g');
    clients.push(host.gateway);
    const { call, receipts, ended } = openReports(host.gateway);
    call.write(aReport());
    await expect.poll(() => receipts, SOON).toHaveLength(1);
    await other.close(5000);
    expect(await ended).toMatchObject({ code: 'unavailable' });
  });
});

describe('hosts', () => {
  it('are listed, cordoned and uncordoned, guarded by their ETag', async () => {
    const host = await newHost('host-h');
    const url = `/v1/hosts/${host.hostId}`;
    const found = await site.ask('GET', url, { as: 'viewer' });
    expect(found.headers['etag']).toBe(`"${found.body.generation}"`);
    const stale = await site.ask('POST', `${url}/cordon`, { as: 'admin', headers: { 'if-match': '"999"' } });
    expect(stale).toMatchObject({ status: 412, body: { code: 'precondition_failed' } });
    const weak = { 'if-match': `W/${found.headers['etag']}` };
    expect((await site.ask('POST', `${url}/cordon`, { as: 'admin', headers: weak })).status).toBe(412);
    const cordoned = await site.ask('POST', `${url}/cordon`, {
      as: 'admin',
      body: { reason: 'new memory' },
      headers: { 'if-match': found.headers['etag'] ?? '' },
    });
    expect(cordoned).toMatchObject({ status: 200, body: { state: 'cordoned', cordonReason: 'new memory' } });
    expect(cordoned.headers['etag']).toBe(`"${cordoned.body.generation}"`);
    const listed = await site.ask('GET', '/v1/hosts?state=cordoned&name=host-h', { as: 'viewer' });
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toEqual([host.hostId]);
    const again = await site.ask('POST', `${url}/uncordon`, { as: 'admin', headers: { 'if-match': '*' } });
    expect(again).toMatchObject({ status: 200, body: { state: 'active', cordonReason: null } });
  });
});
