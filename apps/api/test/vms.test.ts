import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWorker } from '@kvorum/control-plane';
import { FakeDriver, FakeMachine } from '@kvorum/hypervisor-driver';
import { type Agent, startAgent } from '@kvorum/node-agent';
import type { Flavor, Image, Operation } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findFreePort } from '../../../scripts/services/free-port.mjs';
import { type Gateway, startGateway } from '../src/gateway/start-gateway.js';
import { makeQcow2 } from './make-qcow2.js';
import { type Answer, openSite, SILENT_LOG, type Site } from './open-site.js';
import { readEvents } from './read-events.js';

const GIB = 1024 ** 3;
const HOST_VCPUS = 4;
const UNKNOWN_ID = '019a0000-0000-7000-8000-000000000001';

let site: Site;
let base: string;
let gateway: Gateway;
let agent: Agent;
let worker: Awaited<ReturnType<typeof startWorker>>;
let agentDir: string;
let runDir: string;
let flavor: Flavor;
let image: Image;

beforeAll(async () => {
  const [gatewayAddress, enrolAddress] = [`127.0.0.1:${await findFreePort()}`, `127.0.0.1:${await findFreePort()}`];
  site = await openSite({ gatewayAddress, enrolAddress });
  base = await site.app.listen({ host: '127.0.0.1', port: 0 });
  gateway = await startGateway(site.cp, { gateway: gatewayAddress, enrol: enrolAddress });
  worker = await startWorker(site.cp, { concurrency: 8 });
  agentDir = await mkdtemp(join(tmpdir(), 'kvorum-agent-'));
  agent = await startSimulatedAgent('host-1', enrolAddress);
  const { bytes: _bytes, sha256 } = await makeQcow2(site.importDir, 'tiny.qcow2');
  image = (await ask('POST', '/v1/images/import', { name: 'tiny', fileName: 'tiny.qcow2', sha256 })).body;
  const size = { vcpuCount: 1, memoryBytes: GIB, rootDiskBytes: GIB };
  flavor = (await site.ask('POST', '/v1/flavors', { as: 'admin', body: { name: 'small', ...size } })).body;
  await vi.waitFor(
    async () => {
      const { body } = await site.ask('GET', '/v1/hosts', { as: 'viewer' });
      expect(body.items[0]?.connectivity).toBe('connected');
    },
    { timeout: 20_000 },
  );
});
afterAll(async () => {
  await agent?.close();
  await worker?.close(5000);
  await gateway?.close(1000);
  await site.close();
  for (const folder of [agentDir, runDir]) await rm(folder, { recursive: true, force: true });
});

async function startSimulatedAgent(name: string, enrolAddress: string): Promise<Agent> {
  const { body } = await site.ask('POST', '/v1/host-enrolments', { as: 'admin', body: { hostName: name } });
  const joinFile = join(agentDir, 'join-token');
  await writeFile(joinFile, body.joinToken, { mode: 0o600 });
  // Sockets lie below it, and their paths have 107 bytes at most (unix(7)).
  runDir = await mkdtemp('/tmp/kv-');
  const config = {
    stateDir: join(agentDir, 'state'),
    runDir,
    joinFile,
    enrolAddress,
    name,
    allowEmulation: true,
    capacityVcpus: HOST_VCPUS,
    capacityMemoryBytes: 64 * GIB,
    capacityDiskBytes: 64 * GIB,
  };
  return startAgent({ config, driver: new FakeDriver(new FakeMachine()), log: SILENT_LOG });
}

const ask = (method: string, url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  site.ask(method, url, { as: 'operator', headers, ...(body === undefined ? {} : { body }) });
const requestOf = (name: string, more: object = {}) => ({ name, flavorId: flavor.id, imageId: image.id, ...more });

/** Follows an operation on its stream to its end. */
async function finished(accepted: Answer): Promise<Operation> {
  expect(accepted).toMatchObject({ status: 202, headers: { location: expect.stringMatching(/^\/v1\/operations\//) } });
  const stream = await readEvents(`${base}${accepted.headers['location']}/watch`, {
    authorization: `Bearer ${site.tokens.viewer.secret}`,
  });
  for (;;) {
    const [message] = await stream.take(1);
    if (message?.event !== 'operation') continue;
    const operation = JSON.parse(message.data) as Operation;
    if (['succeeded', 'failed', 'cancelled', 'stuck'].includes(operation.state)) {
      stream.close();
      return operation;
    }
  }
}
async function createdVm(name: string, more: object = {}): Promise<string> {
  const accepted = await ask('POST', '/v1/vms', requestOf(name, more));
  expect(await finished(accepted)).toMatchObject({ state: 'succeeded', kind: 'vm.create', error: null });
  return accepted.body.resourceId;
}
const stateOf = async (vmId: string): Promise<string> => (await ask('GET', `/v1/vms/${vmId}`)).body.state;
async function deleteVm(vmId: string): Promise<void> {
  expect(await finished(await ask('DELETE', `/v1/vms/${vmId}`))).toMatchObject({ state: 'succeeded' });
}

describe('a VM', () => {
  it('is created, found, listed, and goes through its whole life', async () => {
    const vmId = await createdVm('web-1', { labels: { tier: 'web' } });
    const found = await ask('GET', `/v1/vms/${vmId}`);
    expect(found).toMatchObject({
      status: 200,
      headers: { etag: `"${found.body.generation}"` },
      body: { name: 'web-1', state: 'running', hostName: 'host-1', vcpuCount: 1, labels: { tier: 'web' } },
    });
    expect((await ask('GET', '/v1/vms?name=web-1&state=running')).body.items).toEqual([found.body]);
    for (const [verb, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['reset', 'running'],
      ['reboot', 'running'],
      ['stop', 'stopped'],
      ['start', 'running'],
    ] as const) {
      const body = verb === 'stop' || verb === 'reboot' ? { graceMs: 0 } : undefined;
      const operation = await finished(await ask('POST', `/v1/vms/${vmId}/${verb}`, body));
      expect(operation, verb).toMatchObject({ kind: `vm.${verb}`, state: 'succeeded' });
      expect(await stateOf(vmId), verb).toBe(state);
    }
    const log = await ask('GET', `/v1/vms/${vmId}/console`);
    expect(log).toMatchObject({ status: 200, body: { text: expect.any(String), offset: expect.any(Number) } });
    await deleteVm(vmId);
    expect((await ask('GET', `/v1/vms/${vmId}`)).status).toBe(404);
  });

  it('is created once per idempotency key, however many requests come at the same time', async () => {
    const headers = { 'idempotency-key': 'create-once' };
    const body = requestOf('once', { start: false });
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask('POST', '/v1/vms', body, headers)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 202));
    expect(new Set(answers.map((answer) => answer.body.operation.id)).size).toBe(1);
    const { resourceId } = answers[0]?.body ?? {};
    await finished(answers[0] as Answer);
    expect(await stateOf(resourceId)).toBe('stopped');
    expect(await ask('POST', '/v1/vms', requestOf('twice'), headers)).toMatchObject({
      status: 409,
      body: { code: 'idempotency_conflict' },
    });
    // A key stands for one request to one object: the same key on another VM's start is another request.
    expect(await ask('POST', `/v1/vms/${resourceId}/start`, undefined, headers)).toMatchObject({
      status: 409,
      body: { code: 'idempotency_conflict' },
    });
    await deleteVm(resourceId);
  });

  it('is changed only as the caller knows it, when If-Match is sent', async () => {
    const vmId = await createdVm('guarded', { start: false });
    const { headers } = await ask('GET', `/v1/vms/${vmId}`);
    const etag = headers['etag'] ?? '';
    const stale = await ask('POST', `/v1/vms/${vmId}/start`, undefined, { 'if-match': '"12345"' });
    expect(stale).toMatchObject({ status: 412, body: { code: 'precondition_failed' } });
    expect((await ask('DELETE', `/v1/vms/${vmId}`, undefined, { 'if-match': `W/${etag}` })).status).toBe(412);
    expect(await stateOf(vmId)).toBe('stopped');
    await finished(await ask('POST', `/v1/vms/${vmId}/start`, undefined, { 'if-match': etag }));
    expect((await ask('DELETE', `/v1/vms/${vmId}`, undefined, { 'if-match': etag })).status).toBe(412);
    await deleteVm(vmId);
  });

  it('that is asked for what its state does not allow refuses and says what it does', async () => {
    const vmId = await createdVm('asleep', { start: false });
    const refused = await ask('POST', `/v1/vms/${vmId}/pause`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict_state' } });
    expect(refused.body.detail).toContain('stopped');
    await deleteVm(vmId);
  });

  it('that fits nowhere is refused at once with the reasons, and nothing is left but the record of why', async () => {
    const before = await site.contents();
    const huge = { name: 'huge', vcpuCount: HOST_VCPUS + 1, memoryBytes: GIB, rootDiskBytes: GIB };
    const { body } = await site.ask('POST', '/v1/flavors', { as: 'admin', body: huge });
    const refused = await ask('POST', '/v1/vms', requestOf('too-big', { flavorId: body.id }));
    expect(refused).toMatchObject({ status: 507, body: { code: 'no_capacity' } });
    expect(refused.body.detail).toMatch(/vcpu/i);
    const after = await site.contents();
    for (const table of ['vms', 'operations', 'operation_steps', 'reservations', 'volumes', 'projects']) {
      expect(after[table], table).toBe(before[table]);
    }
    const { placementId } = refused.body.details;
    const kept = await site.ask('GET', `/v1/placements/${placementId}`, { as: 'admin' });
    expect(kept).toMatchObject({ status: 200, body: { outcome: 'refused', vmName: 'too-big' } });
  });

  it('of a project is invisible to tokens of another', async () => {
    const vmId = await createdVm('hidden', { start: false });
    for (const [method, url] of [
      ['GET', `/v1/vms/${vmId}`],
      ['GET', `/v1/vms/${vmId}/console`],
      ['POST', `/v1/vms/${vmId}/start`],
      ['DELETE', `/v1/vms/${vmId}`],
    ] as const) {
      expect((await site.ask(method, url, { as: 'projectOperator' })).status, url).toBe(404);
    }
    expect((await site.ask('GET', '/v1/vms', { as: 'projectOperator' })).body.items).toEqual([]);
    await deleteVm(vmId);
  });
});

describe('a VM that is asked for wrongly', () => {
  it.each([
    ['a flavor that is not there', { flavorId: UNKNOWN_ID }, 404, 'not_found'],
    ['an image that is not there', { imageId: UNKNOWN_ID }, 404, 'not_found'],
    ['a project that is not there', { projectId: UNKNOWN_ID }, 404, 'not_found'],
    ['a disk smaller than its image', { rootDiskBytes: 1024 ** 2 }, 400, 'invalid_request'],
    ['a host, by no admin', { hostId: UNKNOWN_ID }, 403, 'forbidden'],
  ])('with %s is refused, naming the field, and nothing changes', async (_case, fields, status, code) => {
    const before = await site.contents();
    const refused = await ask('POST', '/v1/vms', requestOf('wrong', fields));
    expect(refused).toMatchObject({ status, body: { code, errors: [{ field: `body.${Object.keys(fields)[0]}` }] } });
    const after = await site.contents();
    // The host goes on reporting.
    expect({ ...after, hosts: '' }).toEqual({ ...before, hosts: '' });
  });
});

describe('an operation', () => {
  it('is listed by object, read, and refuses verbs that its state does not allow', async () => {
    const vmId = await createdVm('listed', { start: false });
    const { items } = (await ask('GET', `/v1/operations?resourceId=${vmId}`)).body;
    expect(items).toMatchObject([{ kind: 'vm.create', state: 'succeeded', resourceId: vmId }]);
    const url = `/v1/operations/${items[0].id}`;
    expect((await ask('GET', url)).body).toEqual(items[0]);
    for (const verb of ['cancel', 'resume', 'unwind']) {
      expect(await ask('POST', `${url}/${verb}`), verb).toMatchObject({
        status: 409,
        body: { code: 'conflict_state' },
      });
    }
    expect((await site.ask('GET', url, { as: 'projectViewer' })).status).toBe(404);
    await deleteVm(vmId);
  });

  it('that has ended is told once on its stream, which then ends', async () => {
    const vmId = await createdVm('watched', { start: false });
    const { items } = (await ask('GET', `/v1/operations?resourceId=${vmId}`)).body;
    const watched = await site.ask('GET', `/v1/operations/${items[0].id}/watch`, { as: 'viewer' });
    expect(watched).toMatchObject({ status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
    const [, ...blocks] = watched.body.trimEnd().split('\n\n');
    expect(blocks.map((block: string) => block.split('\ndata: ')[0])).toEqual(['event: operation']);
    expect(JSON.parse(blocks[0].split('\ndata: ')[1])).toEqual(items[0]);
    await deleteVm(vmId);
  });
});
