import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, closeControlPlane, openControlPlane, startWorker } from '@kvorum/control-plane';
import { FakeDriver, FakeMachine } from '@kvorum/hypervisor-driver';
import { type Agent, startAgent } from '@kvorum/node-agent';
import { pngRefusal } from '@kvorum/schema';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findFreePort } from '../../../scripts/services/free-port.mjs';
import { buildApp } from '../src/app.js';
import { type Gateway, startGateway } from '../src/gateway/start-gateway.js';
import { makeQcow2 } from './make-qcow2.js';
import { type Answer, openSite, SILENT_LOG, type Site } from './open-site.js';
import { openTestSocket, refusedSocket } from './test-socket.js';

const GIB = 1024 ** 3;
const WAIT = { timeout: 30_000, interval: 20 };
const UNKNOWN_ID = '019a0000-0000-7000-8000-000000000001';

let site: Site;
let base: string;
let gateway: Gateway;
let agent: Agent;
let worker: Awaited<ReturnType<typeof startWorker>>;
let folders: string[];
const machine = new FakeMachine();
let vmId: string;
let plainVmId: string;

beforeAll(async () => {
  const [gatewayAddress, enrolAddress] = [`127.0.0.1:${await findFreePort()}`, `127.0.0.1:${await findFreePort()}`];
  site = await openSite({ gatewayAddress, enrolAddress, consoleBounds: { idleMs: 1_800_000, checkMs: 1_000 } });
  base = await site.app.listen({ host: '127.0.0.1', port: 0 });
  gateway = await startGateway(site.cp, { gateway: gatewayAddress, enrol: enrolAddress });
  worker = await startWorker(site.cp, { concurrency: 4 });
  const { body } = await site.ask('POST', '/v1/host-enrolments', { as: 'admin', body: { hostName: 'host-1' } });
  // Sockets lie below it, and their paths have 107 bytes at most (unix(7)).
  folders = [await mkdtemp(join(tmpdir(), 'kvorum-agent-')), await mkdtemp('/tmp/kv-')];
  const [stateDir = '', runDir = ''] = folders;
  const joinFile = join(stateDir, 'join-token');
  await writeFile(joinFile, body.joinToken, { mode: 0o600 });
  const config = { stateDir, runDir, joinFile, enrolAddress, name: 'host-1', allowEmulation: true };
  agent = await startAgent({ config, driver: new FakeDriver(machine), log: SILENT_LOG });
  const { sha256 } = await makeQcow2(site.importDir, 'tiny.qcow2');
  const image = await ask('POST', '/v1/images/import', { name: 'tiny', fileName: 'tiny.qcow2', sha256 });
  const size = { vcpuCount: 1, memoryBytes: GIB, rootDiskBytes: GIB };
  const flavor = await site.ask('POST', '/v1/flavors', { as: 'admin', body: { name: 'small', ...size } });
  await vi.waitFor(async () => {
    const hosts = await site.ask('GET', '/v1/hosts', { as: 'viewer' });
    expect(hosts.body.items[0]?.connectivity).toBe('connected');
  }, WAIT);
  const make = async (name: string, kind: 'none' | 'vga'): Promise<string> => {
    const hardware = { display: { kind } };
    const answer = await ask('POST', '/v1/vms', { name, flavorId: flavor.body.id, imageId: image.body.id, hardware });
    const id = answer.body.resourceId as string;
    await vi.waitFor(async () => expect((await ask('GET', `/v1/vms/${id}`)).body.state).toBe('running'), WAIT);
    return id;
  };
  [vmId, plainVmId] = [await make('with-screen', 'vga'), await make('plain', 'none')];
});
afterAll(async () => {
  await agent?.close();
  await worker?.close(5000);
  await gateway?.close(1000);
  await site.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const ask = (method: string, url: string, body?: unknown): Promise<Answer> =>
  site.ask(method, url, { as: 'operator', ...(body === undefined ? {} : { body }) });
const tokenFor = async (kind: 'serial' | 'vnc', id = vmId): Promise<string> =>
  (await ask('POST', `/v1/vms/${id}/console-tokens`, { kind })).body.token;
const urlOf = (kind: string, token: string, id = vmId, query = '') =>
  `${base.replace('http', 'ws')}/v1/vms/${id}/console/${kind}?token=${token}${query}`;
const connect = async (kind: 'serial' | 'vnc', id = vmId, query = '') =>
  openTestSocket(urlOf(kind, await tokenFor(kind, id), id, query));
const eventsOf = async (type: string): Promise<string> =>
  JSON.stringify(await site.cp.database.event.findMany({ where: { type }, select: { data: true, resourceId: true } }));

describe('a console by WebSocket', () => {
  it('is a token, and then bytes both ways; a viewer sees what another types', async () => {
    const answer = await ask('POST', `/v1/vms/${vmId}/console-tokens`, { kind: 'serial' });
    expect(answer).toMatchObject({
      status: 201,
      body: { kind: 'serial', token: expect.stringMatching(/^kvc1_/), path: `/v1/vms/${vmId}/console/serial` },
    });
    const one = await openTestSocket(urlOf('serial', answer.body.token, vmId, '&backlogBytes=0'));
    const two = await connect('serial', vmId, '&backlogBytes=0');
    one.send('ls\r');
    await vi.waitFor(() => expect([one.text(), two.text()]).toEqual(['ls\r', 'ls\r']), WAIT);
    one.close();
    two.close();
    expect(await eventsOf('vm.console')).toContain(vmId);
  });

  it('begins with what was printed before', async () => {
    machine.processOf(vmId).print('login:');
    const viewer = await connect('serial', vmId, '&backlogBytes=7');
    await vi.waitFor(() => expect(viewer.text()).toBe('login:\n'), WAIT);
    viewer.close();
  });

  it('is the RFB protocol for the screen', async () => {
    const viewer = await connect('vnc');
    await vi.waitFor(() => expect(viewer.text()).toBe('RFB 003.008\n'), WAIT);
    viewer.close();
  });

  it('is opened by one of many that come with the same token at once, through two replicas', async () => {
    const second = await secondReplica();
    const token = await tokenFor('serial');
    const urls = [urlOf('serial', token), urlOf('serial', token).replace(base.replace('http', 'ws'), second.ws)];
    const all = Array.from({ length: 8 }, (_, index) => urls[index % 2] as string);
    const outcomes = await Promise.allSettled(all.map(openTestSocket));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.close();
    await second.close();
  });

  async function secondReplica(): Promise<{ ws: string; close(): Promise<void> }> {
    const cp: ControlPlane = await openControlPlane({
      databaseUrl: site.databaseUrl,
      dataDir: site.dataDir,
      importDir: site.importDir,
      gatewayAddress: site.cp.gatewayAddress,
      enrolAddress: site.cp.enrolAddress,
      log: SILENT_LOG,
      poolSize: 4,
    });
    const app: FastifyInstance = await buildApp({ cp });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    return {
      ws: url.replace('http', 'ws'),
      close: async () => {
        await app.close();
        await closeControlPlane(cp);
      },
    };
  }

  it.each<[string, () => Promise<string> | string, number, string]>([
    ['no token', () => `${base.replace('http', 'ws')}/v1/vms/${vmId}/console/serial`, 400, 'invalid_request'],
    ['an API token', () => urlOf('serial', site.tokens.admin.secret), 401, 'unauthenticated'],
    ['a token that never was', () => urlOf('serial', `kvc1_${'A'.repeat(43)}`), 401, 'unauthenticated'],
    ['a token for the other console', async () => urlOf('vnc', await tokenFor('serial')), 401, 'unauthenticated'],
    [
      'a token for another VM',
      async () => urlOf('serial', await tokenFor('serial', plainVmId)),
      401,
      'unauthenticated',
    ],
    ['a token that has expired', () => expired(), 401, 'unauthenticated'],
    ['a console of no kind', () => urlOf('parallel', 'x'), 400, 'invalid_request'],
    [
      'a screen that is not there',
      async () => urlOf('vnc', await tokenFor('vnc', plainVmId), plainVmId),
      409,
      'conflict_state',
    ],
  ])('is refused with %s', async (_what, url, status, code) => {
    const refused = await refusedSocket(await url());
    expect(refused).toMatchObject({ status, body: { code } });
  });

  async function expired(): Promise<string> {
    const token = await tokenFor('serial');
    await site.cp.database.consoleToken.updateMany({ where: { usedAt: null }, data: { expiresAt: new Date(0) } });
    return urlOf('serial', token);
  }

  it('is refused with a token that was used', async () => {
    const token = await tokenFor('serial');
    (await openTestSocket(urlOf('serial', token))).close();
    expect(await refusedSocket(urlOf('serial', token))).toMatchObject({ status: 401 });
  });

  it('is refused once the API token behind its token was revoked', async () => {
    const made = await site.ask('POST', '/v1/tokens', { as: 'admin', body: { name: 'brief', role: 'operator' } });
    const issued = await site.ask('POST', `/v1/vms/${vmId}/console-tokens`, {
      token: made.body.secret,
      body: { kind: 'serial' },
    });
    await site.ask('DELETE', `/v1/tokens/${made.body.id}`, { as: 'admin' });
    expect(await refusedSocket(urlOf('serial', issued.body.token))).toMatchObject({ status: 401 });
  });

  it('needs a WebSocket', async () => {
    const answer = await ask('GET', `/v1/vms/${vmId}/console/serial?token=${await tokenFor('serial')}`);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('keeps only the hash of a token, and a bound of tokens that are good', async () => {
    const token = await tokenFor('vnc', plainVmId);
    const rows = await site.cp.database.consoleToken.findMany({ where: { vmId: plainVmId } });
    expect(JSON.stringify(rows.map(({ secretSha256: _hash, ...row }) => row))).not.toContain(token);
    const more = () => ask('POST', `/v1/vms/${plainVmId}/console-tokens`, { kind: 'vnc' });
    await Promise.all(Array.from({ length: 32 }, more));
    expect(await more()).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    await site.cp.database.consoleToken.deleteMany({ where: { vmId: plainVmId } });
  });

  it.each([
    ['an unknown VM', UNKNOWN_ID, { kind: 'serial' }, 404],
    ['no kind', null, {}, 400],
    ['another kind', null, { kind: 'spice' }, 400],
  ])('has no token for %s', async (_what, id, body, status) => {
    expect((await ask('POST', `/v1/vms/${id ?? vmId}/console-tokens`, body)).status).toBe(status);
  });
});

describe('a screenshot', () => {
  it('is a PNG file', async () => {
    const answer = await site.app.inject({
      url: `/v1/vms/${vmId}/screenshot`,
      headers: { authorization: `Bearer ${site.tokens.viewer.secret}` },
    });
    expect(answer).toMatchObject({ statusCode: 200, headers: { 'content-type': 'image/png' } });
    expect(pngRefusal(answer.rawPayload)).toBeNull();
  });

  it('of a VM without a screen is refused, and the refusal says why', async () => {
    const answer = await ask('GET', `/v1/vms/${plainVmId}/screenshot`);
    expect(answer).toMatchObject({ status: 409, body: { code: 'conflict_state' } });
    expect(answer.body.detail).toContain('hardware.display.kind');
  });
});

describe('a guest', () => {
  const exec = (body: object, id = vmId) => ask('POST', `/v1/vms/${id}/exec`, body);

  it('runs a program; who ran which is an event, without its arguments', async () => {
    const answer = await exec({ command: ['echo', 'secret-argument', '\u001b[31mred'] });
    expect(answer).toMatchObject({
      status: 200,
      body: { exitCode: 0, signal: null, stdout: 'secret-argument red\n', stderr: '', hasTimedOut: false },
    });
    const events = await eventsOf('vm.exec');
    expect(events).toContain('"program":"echo"');
    expect(events).toContain('"argumentCount":2');
    expect(events).toContain('"by":"operator"');
    expect(events).not.toContain('secret-argument');
  });

  it.each<[string, object, number, string]>([
    ['no program', { command: [] }, 400, 'invalid_request'],
    ['an empty program', { command: [''] }, 400, 'invalid_request'],
    ['a shell line instead of a list', { command: 'rm -rf /' }, 400, 'invalid_request'],
    ['NUL', { command: ['echo', '\0'] }, 400, 'invalid_request'],
    ['too many arguments', { command: Array(200).fill('a') }, 400, 'invalid_request'],
    ['arguments too long', { command: ['echo', 'a'.repeat(17_000)] }, 400, 'invalid_request'],
    ['too much time', { command: ['echo'], timeoutMs: 300_001 }, 400, 'invalid_request'],
    ['an unknown field', { command: ['echo'], user: 'root' }, 400, 'invalid_request'],
    ['a program that is not there', { command: ['nonsense'] }, 502, 'guest_agent_failed'],
    ['a program that writes too much', { command: ['seq', '100000'] }, 502, 'guest_agent_failed'],
  ])('refuses %s', async (_what, body, status, code) => {
    expect(await exec(body)).toMatchObject({ status, body: { code } });
  });

  it('is frozen and thawed', async () => {
    const frozen = await ask('POST', `/v1/vms/${vmId}/freeze`, { durationMs: 60_000 });
    expect(frozen).toMatchObject({ status: 200, body: { fileSystemCount: 1 } });
    expect(await ask('POST', `/v1/vms/${vmId}/freeze`)).toMatchObject({ status: 409 });
    const thawed = await ask('POST', `/v1/vms/${vmId}/thaw`, { freezeId: frozen.body.freezeId });
    expect(thawed).toMatchObject({ status: 200, body: { fileSystemCount: 1, wasUnbroken: true } });
    expect(await ask('POST', `/v1/vms/${vmId}/thaw`)).toMatchObject({ status: 200, body: { wasUnbroken: false } });
  });

  it('shows its addresses in the VM', async () => {
    await vi.waitFor(async () => {
      expect((await ask('GET', `/v1/vms/${vmId}`)).body.guest.interfaces).toEqual([
        { name: 'eth0', macAddress: '52:54:00:00:00:01', addresses: [{ address: '10.0.0.5', prefixLength: 24 }] },
      ]);
    }, WAIT);
  });
});

describe('a console session', () => {
  it('ends when the API token behind it is revoked, and those of others go on', async () => {
    const made = await site.ask('POST', '/v1/tokens', { as: 'admin', body: { name: 'leaver', role: 'operator' } });
    const issued = await site.ask('POST', `/v1/vms/${vmId}/console-tokens`, {
      token: made.body.secret,
      body: { kind: 'serial' },
    });
    const [leaver, other] = [await openTestSocket(urlOf('serial', issued.body.token)), await connect('serial')];
    await site.ask('DELETE', `/v1/tokens/${made.body.id}`, { as: 'admin' });
    expect(await leaver.closed).toEqual({
      code: 1008,
      reason: 'the API token is not valid any more, or the VM is gone',
    });
    other.send('still here\r');
    await vi.waitFor(() => expect(other.text()).toContain('still here'), WAIT);
    other.close();
  });

  it('ends with the VM and says so; afterwards all of it is refused', async () => {
    const viewer = await connect('serial', plainVmId);
    machine.processOf(plainVmId).powerOff();
    expect(await viewer.closed).toEqual({ code: 1000, reason: 'the VM has stopped' });
    for (const [method, path, body] of [
      ['POST', 'exec', { command: ['echo'] }],
      ['POST', 'freeze', {}],
      ['GET', 'screenshot', undefined],
    ] as const) {
      expect(await ask(method, `/v1/vms/${plainVmId}/${path}`, body)).toMatchObject({ status: 409 });
    }
    expect(await refusedSocket(urlOf('serial', await tokenFor('serial', plainVmId), plainVmId))).toMatchObject({
      status: 409,
      body: { code: 'conflict_state' },
    });
  });
});
