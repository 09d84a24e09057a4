import { Server, ServerCredentials } from '@grpc/grpc-js';
import { DomainError, type HostId, MIB, newId } from '@kvorum/schema';
import { type NodeAgentServer, NodeAgentService } from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcAgentDirectory } from '../../src/agents/agent-directory.js';
import type { AgentPort } from '../../src/agents/agent-port.js';
import { findHostAddress } from '../../src/host/host.store.js';
import { revokeHost } from '../../src/host/hosts.js';
import { makeHostKey } from '../world/host-key.js';
import { openSimulatedFleet, type SimulatedFleet } from '../world/simulated-fleet.js';

let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 3, vmsPerHost: 5 });
});
afterAll(() => fleet.close());

const addressOf = async (index: number) => {
  const host = await findHostAddress(fleet.test.cp.database, fleet.hosts[index]?.hostId ?? '');
  if (host === null) throw new TypeError('the host has a row');
  return host;
};
const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (error: unknown) => (error instanceof DomainError ? error.code : String(error)),
  );
const observe = (agent: AgentPort) => codeOf(agent.observeVm(newId()));

describe('calling an agent', () => {
  it('reaches the host it is meant for', async () => {
    expect(await observe(fleet.test.cp.agents.agentOf(await addressOf(0)))).toBe('answered');
  });

  it('refuses another host of the site at that address', async () => {
    const [one, two] = [await addressOf(0), await addressOf(1)];
    expect(await observe(fleet.test.cp.agents.agentOf({ id: one.id, address: two.address }))).toBe('host_unreachable');
    expect(await observe(fleet.test.cp.agents.agentOf(one))).toBe('answered');
  });

  it('names the errors of the agent, with their details', async () => {
    const agent = fleet.test.cp.agents.agentOf(await addressOf(0));
    const intent = { vmId: newId(), generation: 1, fencingToken: 1, epoch: 1, operationId: newId() };
    const options = { timeoutMs: 5000 };
    expect(await codeOf(agent.ensureBalloon(intent, 64 * MIB, options))).toBe('not_found');
    expect(await codeOf(agent.readConsole('../../etc/passwd', null, 100, options))).toBe('invalid_request');
    expect(await codeOf(agent.removeVm({ ...intent, fencingToken: 5 }, options))).toBe('answered');
    expect(await codeOf(agent.removeVm({ ...intent, fencingToken: 4 }, options))).toBe('stale_generation');
  });

  it('says host_unreachable when nobody is there, within the time limit', async () => {
    const { id } = await addressOf(0);
    expect(await observe(fleet.test.cp.agents.agentOf({ id, address: '127.0.0.1:1' }))).toBe('host_unreachable');
  });

  it('finds an agent again that was restarted', async () => {
    const agent = fleet.test.cp.agents.agentOf(await addressOf(0));
    expect(await observe(agent)).toBe('answered');
    await fleet.hosts[0]?.restart();
    await expect.poll(() => observe(agent), { timeout: 10_000 }).toBe('answered');
  });

  it('ends with its host, from the next call on, over a connection that is open', async () => {
    const host = await addressOf(2);
    const agent = fleet.test.cp.agents.agentOf(host);
    expect(await observe(agent)).toBe('answered');
    await revokeHost(fleet.test.cp, fleet.test.admin, host.id as HostId);
    expect(await observe(agent)).toBe('host_not_trusted');
  });

  it('ends with a certificate that another one has replaced, over a connection that is open', async () => {
    const host = await addressOf(1);
    let trusted: Set<string> | null = null;
    const known = await fleet.test.sql<{ fingerprint: string }>(
      'SELECT fingerprint_sha256 AS fingerprint FROM host_certificates WHERE host_id = $1',
      [host.id],
    );
    trusted = new Set(known.map((row) => row.fingerprint));
    const directory = new GrpcAgentDirectory(fleet.test.cp.authority, async () => trusted);
    expect(await observe(directory.agentOf(host))).toBe('answered');
    trusted = new Set(['0'.repeat(64)]);
    expect(await observe(directory.agentOf(host))).toBe('host_unreachable');
    await directory.close();
    expect(await observe(directory.agentOf(host))).toBe('unavailable');
  });
});

describe('an agent that does not answer', () => {
  /** Shows a good certificate and takes calls, and that is all. */
  async function aSilentAgent() {
    const { authority } = fleet.test.cp;
    const hostId = newId();
    const { csrPem, keyPem } = await makeHostKey();
    const { certificatePem, fingerprintSha256 } = await authority.signHostRequest(hostId, csrPem);
    const server = new Server();
    const silence = (): void => undefined;
    const names = Object.keys(NodeAgentService) as (keyof typeof NodeAgentService)[];
    server.addService(
      NodeAgentService,
      Object.fromEntries(names.map((name) => [name, silence])) as unknown as NodeAgentServer,
    );
    const pair = { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(certificatePem) };
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(
        '127.0.0.1:0',
        ServerCredentials.createSsl(Buffer.from(authority.caCertificatePem), [pair], true),
        (error, bound) => (error === null ? resolve(bound) : reject(error)),
      ),
    );
    const directory = new GrpcAgentDirectory(authority, async () => new Set([fingerprintSha256]));
    const close = async (): Promise<void> => {
      await directory.close();
      server.forceShutdown();
    };
    return { agent: directory.agentOf({ id: hostId, address: `127.0.0.1:${port}` }), close };
  }

  it('is given up after the time limit of the call', async () => {
    const { agent, close } = await aSilentAgent();
    expect(await codeOf(agent.readConsole(newId(), null, 1, { timeoutMs: 300 }))).toBe('host_unreachable');
    expect(await codeOf(agent.ensureImage({ imageId: newId(), sha256: '', sizeBytes: 1 }, { timeoutMs: 300 }))).toBe(
      'host_unreachable',
    );
    await close();
  });

  it('is given up at once when the caller is told to stop', async () => {
    const { agent, close } = await aSilentAgent();
    const stopping = new AbortController();
    const call = codeOf(agent.readConsole(newId(), null, 1, { timeoutMs: 60_000, signal: stopping.signal }));
    const stream = codeOf(
      agent.ensureImage({ imageId: newId(), sha256: '', sizeBytes: 1 }, { timeoutMs: 60_000, signal: stopping.signal }),
    );
    setTimeout(() => stopping.abort(), 100);
    expect(await Promise.all([call, stream])).toEqual(['host_unreachable', 'host_unreachable']);
    await close();
  });
});
