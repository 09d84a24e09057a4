import { createHash, randomBytes } from 'node:crypto';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import { newId } from '@kvorum/schema';
import {
  type EnsureImageRequest,
  type EnsureImageResponse,
  ExitReason,
  fromServiceError,
  GuestAgentState,
  PowerState,
} from '@kvorum/schema/agent-wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentCalls, MIB, SimulatedHost, TestVm } from './simulated-host.js';
import { SimulatedSite, TestAuthority } from './simulated-site.js';

let site: SimulatedSite;
let host: SimulatedHost;
beforeEach(async () => {
  site = await SimulatedSite.start();
  host = await SimulatedHost.create(site);
});
afterEach(async () => {
  await host.remove();
  site.close();
});

const WAIT = { timeout: 15_000, interval: 20 };
const calls = (as = site.controlPlane) => new AgentCalls(site.agentClient(host.agent!, as));

async function withImage(content = randomBytes(5_000)): Promise<EnsureImageRequest> {
  const imageId = newId();
  site.images.set(imageId, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { imageId, sha256, sizeBytes: content.byteLength, peers: [] };
}

async function ensureImage(request: EnsureImageRequest): Promise<EnsureImageResponse[]> {
  const messages: EnsureImageResponse[] = [];
  try {
    for await (const message of calls().client.ensureImage(request) as AsyncIterable<EnsureImageResponse>) {
      messages.push(message);
    }
  } catch (thrown) {
    throw fromServiceError(thrown as ServiceError);
  }
  return messages;
}

/** A VM whose disk is on the host. */
async function withDisk(vm = new TestVm()): Promise<TestVm> {
  const image = await withImage();
  await ensureImage(image);
  const { client } = calls();
  await calls().unary(client.ensureDisk, {
    intent: vm.intent(1),
    volumeId: vm.volumeId,
    sizeBytes: 16 * MIB,
    imageId: image.imageId,
    imageSha256: image.sha256,
  });
  return vm;
}

const processOf = (vm: TestVm) => host.machine.processes.get(host.runDirOf(vm.vmId)) ?? null;
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe('enrolling', () => {
  it('gives the host an identity that a restart uses again without asking', async () => {
    const first = await host.start();
    const again = await host.restart();
    expect(again.hostId).toBe(first.hostId);
    expect(again.address).toBe(first.address);
    expect(site.redeemed).toHaveLength(1);
    expect((await stat(join(host.stateDir, 'identity', 'key.pem'))).mode & 0o777).toBe(0o600);
  });

  it('never sends the key', async () => {
    await host.start();
    expect(JSON.stringify(site.redeemed)).not.toContain('PRIVATE');
  });

  it('redeems the same request again when the answer was lost', async () => {
    site.answersToLose = 1;
    await host.start();
    expect(site.redeemed).toHaveLength(2);
    expect(site.redeemed[1]?.csrPem).toBe(site.redeemed[0]?.csrPem);
  });

  it('sends nothing to a site with another CA than the join token names', async () => {
    const stranger = await TestAuthority.create('stranger');
    await site.writeJoinFile(join(host.folder, 'join'), site.joinToken(stranger.fingerprint));
    await expect(host.start()).rejects.toMatchObject({ code: 'host_not_trusted' });
    expect(site.redeemed).toEqual([]);
  });

  it('refuses a join file that holds something else, without repeating it', async () => {
    await site.writeJoinFile(join(host.folder, 'join'), 'my-password');
    await expect(host.start()).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.not.stringContaining('my-password') as string,
    });
  });

  it('says what is missing on a host that has not joined', async () => {
    await expect(host.start({ joinFile: undefined })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('leaves the folder free when it fails', async () => {
    await expect(host.start({ joinFile: undefined })).rejects.toThrow();
    await host.start();
  });
});

describe('who may call', () => {
  beforeEach(async () => {
    await host.start();
  });

  it('is the control plane', async () => {
    expect(await calls().observeVms()).toEqual({ vms: [] });
  });

  it.each<[string, () => Promise<Parameters<typeof site.agentClient>[1]>, string]>([
    [
      'another host of the site',
      () => site.authority.issue({ dns: 'h', uris: [site.hostSpiffeId(newId())] }),
      'host_not_trusted',
    ],
    [
      'the host itself',
      () => site.authority.issue({ dns: 'h', uris: [site.hostSpiffeId(host.agent!.hostId)] }),
      'host_not_trusted',
    ],
    [
      'the control plane of another site',
      () => site.authority.issue({ dns: 'control-plane', uris: [`spiffe://kvorum/site/${newId()}/control-plane`] }),
      'host_not_trusted',
    ],
    [
      'one that is a host besides',
      () => site.authority.issue({ dns: 'control-plane', uris: [site.controlPlaneId, site.hostSpiffeId(newId())] }),
      'host_not_trusted',
    ],
    [
      'one with two names',
      () => site.authority.issue({ dns: 'control-plane', uris: [site.hostSpiffeId(newId()), site.controlPlaneId] }),
      'host_not_trusted',
    ],
    ['one without a name', () => site.authority.issue({ dns: 'control-plane', uris: [] }), 'host_not_trusted'],
    [
      'one with a certificate of another CA',
      async () => (await TestAuthority.create('other')).issue({ dns: 'control-plane', uris: [site.controlPlaneId] }),
      'host_unreachable',
    ],
    ['one without a certificate', async () => null, 'host_unreachable'],
  ])('is not %s', async (_name, identity, code) => {
    const client = new AgentCalls(site.agentClient(host.agent!, await identity()));
    await expect(client.observeVms()).rejects.toMatchObject({ code });
    const vm = new TestVm();
    await expect(client.ensureVm(vm.request(vm.intent(1)))).rejects.toMatchObject({ code });
    expect(host.machine.launches).toHaveLength(0);
    expect(await readdir(join(host.stateDir, 'vms'))).toEqual([]);
  });
});

describe('the state folder', () => {
  it('has one agent at a time', async () => {
    const first = await host.start();
    await expect(host.start()).rejects.toMatchObject({ code: 'conflict_state' });
    host.agent = first;
  });
});

describe('images', () => {
  beforeEach(async () => {
    await host.start();
  });

  it('are fetched once and are there under their sha256', async () => {
    const image = await withImage();
    const last = (await Promise.all([ensureImage(image), ensureImage(image)])).map((messages) => messages.at(-1));
    expect(last).toEqual(Array(2).fill({ doneBytes: image.sizeBytes, isComplete: true }));
    site.images.clear();
    expect(await ensureImage(image)).toEqual([{ doneBytes: image.sizeBytes, isComplete: true }]);
    const stored = await readFile(join(host.stateDir, 'images', `${image.sha256}.qcow2`));
    expect(createHash('sha256').update(stored).digest('hex')).toBe(image.sha256);
  });

  it.each<[string, (image: EnsureImageRequest) => EnsureImageRequest, string]>([
    ['another sha256', (image) => ({ ...image, sha256: 'ab'.repeat(32) }), 'checksum_mismatch'],
    ['more bytes than announced', (image) => ({ ...image, sizeBytes: image.sizeBytes - 1 }), 'checksum_mismatch'],
    ['fewer bytes than announced', (image) => ({ ...image, sizeBytes: image.sizeBytes + 1 }), 'checksum_mismatch'],
    ['an id that the control plane does not know', (image) => ({ ...image, imageId: newId() }), 'not_found'],
    ['a size that no disk has', (image) => ({ ...image, sizeBytes: 2 ** 41 }), 'no_capacity'],
    ['a sha256 that is a path', (image) => ({ ...image, sha256: '../../../etc/passwd' }), 'invalid_request'],
  ])('with %s leave nothing behind', async (_name, change, code) => {
    const image = await withImage();
    await expect(ensureImage(change(image))).rejects.toMatchObject({ code });
    expect(await readdir(join(host.stateDir, 'images'))).toEqual([]);
  });
});

describe('a VM', () => {
  beforeEach(async () => {
    await host.start();
  });

  it('is created, stopped, started under a higher epoch and removed', async () => {
    const vm = await withDisk();
    const created = await calls().ensureVm(vm.request(vm.intent(2)));
    expect(created.vm).toMatchObject({ vmId: vm.vmId, epoch: 1, generation: 2, power: PowerState.POWER_STATE_RUNNING });
    const stopped = await calls().ensureVm(vm.request(vm.intent(3), { power: PowerState.POWER_STATE_STOPPED }));
    expect(stopped.vm).toMatchObject({
      power: PowerState.POWER_STATE_STOPPED,
      exitReason: ExitReason.EXIT_REASON_REQUESTED,
    });
    const started = await calls().ensureVm(vm.request(vm.intent(4, 2)));
    expect(started.vm).toMatchObject({ epoch: 2, power: PowerState.POWER_STATE_RUNNING });
    expect(host.machine.launches).toHaveLength(2);
    await calls().unary(calls().client.removeVm, { intent: vm.intent(5, 2) });
    expect(processOf(vm)).toBeNull();
    expect(await calls().observeVms()).toEqual({ vms: [] });
    expect(await isThere(host.runDirOf(vm.vmId))).toBe(false);
    expect(await readdir(join(host.stateDir, 'disks'))).toEqual([]);
    expect(await readdir(join(host.stateDir, 'vms'))).toEqual([`${vm.vmId}.json`]);
  });

  it('is left alone by what comes late', async () => {
    const vm = await withDisk();
    await calls().ensureVm(vm.request(vm.intent(5, 2, 3)));
    for (const late of [vm.intent(5, 2, 2), vm.intent(4, 2, 9), vm.intent(6, 1)]) {
      await expect(calls().ensureVm(vm.request(late))).rejects.toMatchObject({ code: 'stale_generation' });
    }
    const { client } = calls();
    await expect(calls().unary(client.removeVm, { intent: vm.intent(4, 2) })).rejects.toMatchObject({
      code: 'stale_generation',
    });
    expect(processOf(vm)).not.toBeNull();
    expect(host.machine.launches).toHaveLength(1);
  });

  it('does not come back after its removal, not even after a restart of the agent', async () => {
    const vm = await withDisk();
    await calls().unary(calls().client.removeVm, { intent: vm.intent(3, 1, 2) });
    await host.restart();
    for (const late of [vm.intent(3, 1, 2), vm.intent(3, 1, 1), vm.intent(2)]) {
      await expect(calls().ensureVm(vm.request(late))).rejects.toMatchObject({ code: 'stale_generation' });
      const disk = {
        intent: late,
        volumeId: vm.volumeId,
        sizeBytes: 16 * MIB,
        imageId: newId(),
        imageSha256: 'ab'.repeat(32),
      };
      await expect(calls().unary(calls().client.ensureDisk, disk)).rejects.toMatchObject({ code: 'stale_generation' });
    }
    await calls().unary(calls().client.removeVm, { intent: vm.intent(3, 1, 2) });
    expect(host.machine.launches).toHaveLength(0);
  });

  it('runs on untouched while the agent restarts', async () => {
    const vm = await withDisk();
    await calls().ensureVm(vm.request(vm.intent(2)));
    const before = processOf(vm);
    await host.restart();
    expect(processOf(vm)).toBe(before);
    expect((await calls().observeVms()).vms).toMatchObject([
      { vmId: vm.vmId, epoch: 1, power: PowerState.POWER_STATE_RUNNING },
    ]);
    await calls().ensureVm(vm.request(vm.intent(2)));
    expect(host.machine.launches).toHaveLength(1);
    expect(before?.resetCount).toBe(0);
  });

  it('that ended while no agent looked is reported with what ended it and not started again', async () => {
    const vm = await withDisk();
    await calls().ensureVm(vm.request(vm.intent(2)));
    await host.agent?.close();
    processOf(vm)?.exit({ reason: 'crash', detail: 'signal 9' });
    await host.start();
    expect((await calls().observeVms([vm.vmId])).vms).toMatchObject([
      {
        power: PowerState.POWER_STATE_STOPPED,
        exitReason: ExitReason.EXIT_REASON_CRASH,
        exitDetail: 'signal 9',
        epoch: 1,
      },
    ]);
    await expect(calls().ensureVm(vm.request(vm.intent(2)))).rejects.toMatchObject({ code: 'guest_fault' });
    expect(host.machine.launches).toHaveLength(1);
  });

  it('that powers itself off is reported at once, with why', async () => {
    const vm = await withDisk();
    await calls().ensureVm(vm.request(vm.intent(2)));
    processOf(vm)?.exit({ reason: 'guest-shutdown', detail: '' });
    await vi.waitFor(() => {
      expect(site.reports.at(-1)?.vms).toMatchObject([
        { power: PowerState.POWER_STATE_STOPPED, exitReason: ExitReason.EXIT_REASON_GUEST_SHUTDOWN },
      ]);
    }, WAIT);
  });

  it('keeps its console log over runs, in bounded parts', async () => {
    const vm = await withDisk();
    await calls().ensureVm(vm.request(vm.intent(2)));
    await calls().ensureVm(vm.request(vm.intent(3, 2)));
    const { client } = calls();
    const read = (offset: number | undefined, maxBytes: number) =>
      calls().unary(client.readConsole, { vmId: vm.vmId, offset, maxBytes });
    const text = 'GUEST UP web epoch 1\nGUEST UP web epoch 2\n';
    expect(await read(undefined, 1000)).toEqual({ data: Buffer.from(text), offset: 0, sizeBytes: text.length });
    expect(await read(undefined, 4)).toEqual({ data: Buffer.from('h 2\n'), offset: 38, sizeBytes: text.length });
    expect(await read(2, 3)).toEqual({ data: Buffer.from('EST'), offset: 2, sizeBytes: text.length });
    expect(await read(99, 3)).toEqual({ data: Buffer.alloc(0), offset: text.length, sizeBytes: text.length });
    await expect(read(0, 0)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(read(0, 2 ** 30)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('has its host CPUs to itself', async () => {
    const pinned = { spec: { hardware: { cpuPolicy: { policy: 'dedicated' } }, vcpuCount: 3 } };
    const first = await withDisk();
    const second = await withDisk();
    const start = (vm: TestVm) => calls().ensureVm(vm.request(vm.intent(2), { spec: vm.spec(pinned.spec) }));
    await start(first);
    await expect(start(second)).rejects.toMatchObject({ code: 'no_capacity' });
    await host.restart();
    await expect(start(second)).rejects.toMatchObject({ code: 'no_capacity' });
    await calls().ensureVm(first.request(first.intent(3), { power: PowerState.POWER_STATE_STOPPED }));
    await start(second);
    expect(processOf(second)?.launch.placement.vcpuCpus).toEqual([1, 2, 3]);
  });
});

describe('malformed requests', () => {
  it.each<[string, (vm: TestVm) => Parameters<AgentCalls['ensureVm']>[0], string]>([
    ['no intent', (vm) => ({ ...vm.request(vm.intent(1)), intent: undefined }), 'intent'],
    ['a VM id that is a path', (vm) => vm.request({ ...vm.intent(1), vmId: '../../etc/passwd' }), 'intent.vmId'],
    ['a VM id in capitals', (vm) => vm.request({ ...vm.intent(1), vmId: vm.vmId.toUpperCase() }), 'intent.vmId'],
    ['no power', (vm) => vm.request(vm.intent(1), { power: PowerState.POWER_STATE_UNSPECIFIED }), 'power'],
    ['a power nobody knows', (vm) => vm.request(vm.intent(1), { power: 77 as PowerState }), 'power'],
    ['a reset of a stopped VM', (vm) => vm.request(vm.intent(1), { power: 3, reset: true }), 'reset'],
    ['hours of grace', (vm) => vm.request(vm.intent(1), { graceMs: 86_400_000 }), 'graceMs'],
    ['a name with a separator', (vm) => vm.request(vm.intent(1), { spec: vm.spec({ name: 'a,b' }) }), 'spec.name'],
    ['no vCPU', (vm) => vm.request(vm.intent(1), { spec: vm.spec({ vcpuCount: 0 }) }), 'spec.vcpuCount'],
    ['a million vCPUs', (vm) => vm.request(vm.intent(1), { spec: vm.spec({ vcpuCount: 1e6 }) }), 'spec.vcpuCount'],
    [
      'odd memory',
      (vm) => vm.request(vm.intent(1), { spec: vm.spec({ memoryBytes: 64 * MIB + 1 }) }),
      'spec.memoryBytes',
    ],
    ['no accelerator', (vm) => vm.request(vm.intent(1), { spec: vm.spec({ accelerator: 0 }) }), 'spec.accelerator'],
    [
      'a volume id that is none',
      (vm) => vm.request(vm.intent(1), { spec: vm.spec({ rootVolumeId: 'x' }) }),
      'spec.rootVolumeId',
    ],
  ])('with %s are refused by field and remember nothing', async (_name, request, field) => {
    await host.start();
    await expect(calls().ensureVm(request(new TestVm()))).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [expect.objectContaining({ field })] },
    });
    expect(await readdir(join(host.stateDir, 'vms'))).toEqual([]);
  });
});

describe('reports', () => {
  it('begin complete with facts and grow in number over restarts', async () => {
    await host.start();
    await vi.waitFor(() => expect(site.reports.length).toBeGreaterThan(1), WAIT);
    const beforeRestart = site.reports.at(-1)!.reportGeneration;
    expect(site.reports[0]).toMatchObject({ isFull: true, address: host.agent?.address, facts: { hostCpuCount: 4 } });
    expect(site.reports[0]?.capacity).toMatchObject({ vcpuCount: 16, memoryBytes: 7 * 1024 * MIB });
    await host.restart();
    await vi.waitFor(() => expect(site.reports.at(-1)!.reportGeneration).toBeGreaterThan(beforeRestart), WAIT);
    const numbers = site.reports.map((report) => report.reportGeneration);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('tell of a change alone, and of a removal by a complete list', async () => {
    await host.start();
    const vm = await withDisk();
    await calls().ensureVm(vm.request(vm.intent(2)));
    await vi.waitFor(
      () => expect(site.reports.find((report) => !report.isFull)?.vms).toMatchObject([{ vmId: vm.vmId }]),
      WAIT,
    );
    await calls().unary(calls().client.removeVm, { intent: vm.intent(3) });
    await vi.waitFor(() => expect(site.reports.at(-1)).toMatchObject({ isFull: true, vms: [] }), WAIT);
  });

  it('say when the guest answers', async () => {
    await host.start();
    const vm = await withDisk();
    await calls().ensureVm(vm.request(vm.intent(2)));
    await vi.waitFor(() => {
      expect(site.reports.at(-1)?.vms[0]).toMatchObject({
        guestAgent: GuestAgentState.GUEST_AGENT_STATE_RESPONDING,
        balloonBytes: 64 * MIB,
      });
    }, WAIT);
  });

  it('go on when the control plane comes back, and keep its lease', async () => {
    await host.start();
    await vi.waitFor(() => expect(host.agent?.lease.lastReceipt?.leaseMs).toBe(10_000), WAIT);
    site.stopGateway();
    site.reports.length = 0;
    await site.startGateway();
    await vi.waitFor(() => expect(site.reports[0]).toMatchObject({ isFull: true, facts: { hostCpuCount: 4 } }), WAIT);
  });

  it('never carry secrets into the log', async () => {
    const lines: string[] = [];
    const keep = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
    await host.start({}, { debug: keep, info: keep, warn: keep, error: keep });
    await vi.waitFor(() => expect(lines.join('\n')).toContain('reports reach the control plane'), WAIT);
    expect(lines.join('\n')).not.toContain(site.joinToken().split('.')[2]);
    expect(lines.join('\n')).not.toContain('PRIVATE KEY');
  });
});
