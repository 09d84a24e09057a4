import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { newId, PLAIN_HARDWARE, pngRefusal } from '@kvorum/schema';
import {
  ConsoleKind,
  type FreezeGuestResponse,
  fromServiceError,
  type OpenConsoleRequest,
  type OpenConsoleResponse,
  type RunGuestCommandResponse,
  type ThawGuestResponse,
} from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AgentCalls, MIB, SimulatedHost, TestVm } from './simulated-host.js';
import { SimulatedSite } from './simulated-site.js';

const WAIT = { timeout: 30_000, interval: 20 };
let site: SimulatedSite;
let host: SimulatedHost;
beforeAll(async () => {
  site = await SimulatedSite.start();
  host = await SimulatedHost.create(site);
  await host.start();
});
afterAll(async () => {
  await host.remove();
  site.close();
});

const calls = () => new AgentCalls(site.agentClient(host.agent!));
const processOf = ({ vmId }: TestVm) => host.machine.processOf(vmId);

async function runningVm(display: 'none' | 'vga' = 'none'): Promise<TestVm> {
  const vm = new TestVm();
  const content = randomBytes(5_000);
  const imageId = newId();
  const sha256 = createHash('sha256').update(content).digest('hex');
  site.images.set(imageId, content);
  const { client } = calls();
  for await (const _ of client.ensureImage({ imageId, sha256, sizeBytes: content.byteLength, peers: [] }));
  const disk = { volumeId: vm.volumeId, sizeBytes: 16 * MIB, imageId, imageSha256: sha256 };
  await calls().unary(client.ensureDisk, { intent: vm.intent(1), ...disk });
  const hardware = { ...PLAIN_HARDWARE, display: { kind: display } };
  await calls().ensureVm(vm.request(vm.intent(1), { spec: vm.spec({ hardware }) }));
  return vm;
}

/** A session and what came of it. */
class Session {
  readonly stream: ClientDuplexStream<OpenConsoleRequest, OpenConsoleResponse>;
  isOpen = false;
  text = '';
  endReason: string | null = null;
  code: string | null = null;

  constructor(vmId: string, kind = ConsoleKind.CONSOLE_KIND_SERIAL, backlogBytes = 0) {
    this.stream = calls().client.openConsole();
    this.stream.on('data', (response: OpenConsoleResponse) => {
      this.isOpen ||= response.isOpen;
      this.text += response.data.toString('latin1');
      if (response.endReason !== '') this.endReason = response.endReason;
    });
    this.stream.on('error', (error: ServiceError) => {
      this.code = fromServiceError(error).code;
    });
    this.stream.write({ opening: { vmId, kind, backlogBytes }, data: Buffer.alloc(0) });
  }

  type(text: string): void {
    this.stream.write({ opening: undefined, data: Buffer.from(text) });
  }
  async opened(): Promise<this> {
    await vi.waitFor(() => expect(this.isOpen).toBe(true), WAIT);
    return this;
  }
}

describe('a session with the serial line', () => {
  it('shows what was printed before, and then what is printed', async () => {
    const vm = await runningVm();
    processOf(vm).print('login:');
    const session = await new Session(vm.vmId, ConsoleKind.CONSOLE_KIND_SERIAL, 7).opened();
    await vi.waitFor(() => expect(session.text).toBe('login:\n'), WAIT);
    processOf(vm).print('welcome');
    await vi.waitFor(() => expect(session.text).toBe('login:\nwelcome\n'), WAIT);
    session.stream.end();
    await vi.waitFor(() => expect(session.endReason).toBe('the peer has ended the session'), WAIT);
  });

  it('is one of several: all see what any of them types', async () => {
    const vm = await runningVm();
    const [one, two] = [await new Session(vm.vmId).opened(), await new Session(vm.vmId).opened()];
    one.type('a');
    await vi.waitFor(() => expect(two.text).toBe('a'), WAIT);
    two.type('b');
    await vi.waitFor(() => expect([one.text, two.text]).toEqual(['ab', 'ab']), WAIT);
    for (const { stream } of [one, two]) stream.end();
  });

  it('holds what is typed back while the guest does not read, and loses nothing', async () => {
    const vm = await runningVm();
    processOf(vm).tick();
    const session = await new Session(vm.vmId).opened();
    processOf(vm).changePower('paused');
    const typed = Array.from({ length: 20_000 }, (_, index) => `${index},`).join('');
    for (let at = 0; at < typed.length; at += 10_000) session.type(typed.slice(at, at + 10_000));
    processOf(vm).changePower('running');
    await vi.waitFor(() => {
      processOf(vm).changePower('running');
      expect(session.text.length).toBe(typed.length);
    }, WAIT);
    expect(session.text).toBe(typed);
    session.stream.end();
  });

  it('goes on with the newest output, and says so, once its reader has fallen far behind', async () => {
    const vm = await runningVm();
    const session = await new Session(vm.vmId).opened();
    session.stream.pause();
    // More than gRPC and the kernel buffer on the way.
    const line = 'x'.repeat(MIB - 1);
    for (let count = 0; count < 12; count += 1) processOf(vm).print(line);
    processOf(vm).print('the end');
    session.stream.resume();
    await vi.waitFor(() => expect(session.text).toMatch(/the end\n$/), WAIT);
    expect(session.text).toMatch(/\[\d+ bytes were skipped\]/);
    expect(session.text.length).toBeLessThan(11 * MIB);
    session.stream.end();
  });

  it('ends when the VM stops, and says so', async () => {
    const vm = await runningVm();
    const session = await new Session(vm.vmId).opened();
    processOf(vm).print('last words');
    processOf(vm).powerOff();
    await vi.waitFor(() => expect(session.endReason).toBe('the VM has stopped'), WAIT);
    expect(session.text).toMatch(/last words\n$/);
  });

  it('ends when the agent does, and does not hold it up', async () => {
    const vm = await runningVm();
    const session = await new Session(vm.vmId).opened();
    await host.restart();
    expect(session.endReason).toBe('the agent of the host is shutting down; connect again');
  });

  it('is refused when there are eight; one that breaks off makes room', async () => {
    const vm = await runningVm();
    const sessions = await Promise.all(Array.from({ length: 8 }, () => new Session(vm.vmId).opened()));
    const ninth = new Session(vm.vmId);
    await vi.waitFor(() => expect(ninth.code).toBe('rate_limited'), WAIT);
    sessions[0]?.stream.cancel();
    await vi.waitFor(async () => {
      const tenth = new Session(vm.vmId);
      await vi.waitFor(() => expect(tenth.isOpen || tenth.code !== null).toBe(true), WAIT);
      expect(tenth.isOpen).toBe(true);
      tenth.stream.end();
    }, WAIT);
    for (const { stream } of sessions) stream.end();
  });

  it.each<[string, (vm: TestVm) => Session, string]>([
    ['a VM that is not here', () => new Session(newId()), 'not_found'],
    ['a VM that is none', () => new Session('../../etc'), 'invalid_request'],
    ['a console of no kind', ({ vmId }) => new Session(vmId, ConsoleKind.CONSOLE_KIND_UNSPECIFIED), 'invalid_request'],
    ['more of the past than is shown', ({ vmId }) => new Session(vmId, undefined, 1e9), 'invalid_request'],
    ['a screen that is not there', ({ vmId }) => new Session(vmId, ConsoleKind.CONSOLE_KIND_VNC), 'conflict_state'],
  ])('is refused with %s', async (_what, open, code) => {
    const session = open(await runningVm());
    await vi.waitFor(() => expect(session.code).toBe(code), WAIT);
    expect(session.isOpen).toBe(false);
  });
});

describe('a screen', () => {
  it('is passed on as it is, both ways, until the VM stops', async () => {
    const vm = await runningVm('vga');
    const session = await new Session(vm.vmId, ConsoleKind.CONSOLE_KIND_VNC).opened();
    await vi.waitFor(() => expect(session.text).toBe('RFB 003.008\n'), WAIT);
    session.type('RFB 003.008\n\u0001');
    await vi.waitFor(() => expect(session.text).toBe('RFB 003.008\nRFB 003.008\n\u0001'), WAIT);
    processOf(vm).powerOff();
    await vi.waitFor(() => expect(session.endReason).not.toBeNull(), WAIT);
  });

  it('can be photographed', async () => {
    const vm = await runningVm('vga');
    const parts: Buffer[] = [];
    for await (const { data } of calls().client.takeScreenshot({ vmId: vm.vmId })) parts.push(data);
    expect(pngRefusal(Buffer.concat(parts))).toBeNull();
  });
});

describe('a program in a guest', () => {
  const run = (
    vm: TestVm,
    program: string,
    args: string[] = [],
    timeoutMs = 10_000,
    input: Buffer = Buffer.alloc(0),
  ): Promise<RunGuestCommandResponse> =>
    calls().unary(calls().client.runGuestCommand, { vmId: vm.vmId, program, args, input, timeoutMs });

  it('gives its output and exit code', async () => {
    const vm = await runningVm();
    const result = await run(vm, 'echo', ['a', 'b']);
    expect(result).toMatchObject({ exitCode: 0, signal: 0, hasTimedOut: false, isTruncated: false });
    expect(result.stdout.toString()).toBe('a b\n');
    expect(await run(vm, 'false')).toMatchObject({ exitCode: 1 });
  });

  it('that takes too long is killed', async () => {
    const vm = await runningVm();
    expect(await run(vm, 'sleep', ['600'], 100)).toMatchObject({ hasTimedOut: true, exitCode: undefined, signal: 9 });
  });

  it('is refused while four others run', async () => {
    const vm = await runningVm();
    const others = Array.from({ length: 4 }, () => run(vm, 'sleep', ['600'], 2_000));
    await vi.waitFor(() => expect(processOf(vm).guest.commands).toHaveLength(4), WAIT);
    await expect(run(vm, 'echo')).rejects.toMatchObject({ code: 'rate_limited' });
    await Promise.all(others);
    expect(await run(vm, 'echo')).toMatchObject({ exitCode: 0 });
  });

  it.each<[string, string, string[], number, Buffer, string]>([
    ['no program', '', [], 1_000, Buffer.alloc(0), 'invalid_request'],
    ['NUL in an argument', 'echo', ['a\0b'], 1_000, Buffer.alloc(0), 'invalid_request'],
    ['too many arguments', 'echo', Array(200).fill('a'), 1_000, Buffer.alloc(0), 'invalid_request'],
    ['arguments too long', 'echo', ['a'.repeat(20_000)], 1_000, Buffer.alloc(0), 'invalid_request'],
    ['too much input', 'cat', [], 1_000, Buffer.alloc(100_000), 'invalid_request'],
    ['no time', 'echo', [], 0, Buffer.alloc(0), 'invalid_request'],
    ['time without end', 'echo', [], 1e9, Buffer.alloc(0), 'invalid_request'],
    ['a program that is not there', 'nonsense', [], 1_000, Buffer.alloc(0), 'guest_agent_failed'],
    ['output beyond the bound', 'seq', ['100000'], 1_000, Buffer.alloc(0), 'guest_agent_failed'],
  ])('is refused with %s', async (_what, program, args, timeoutMs, input, code) => {
    await expect(run(await runningVm(), program, args, timeoutMs, input)).rejects.toMatchObject({ code });
  });
});

describe('frozen file systems', () => {
  const freeze = (vm: TestVm, durationMs: number): Promise<FreezeGuestResponse> =>
    calls().unary(calls().client.freezeGuest, { vmId: vm.vmId, durationMs });
  const thaw = (vm: TestVm, freezeId = ''): Promise<ThawGuestResponse> =>
    calls().unary(calls().client.thawGuest, { vmId: vm.vmId, freezeId });
  const guestOf = (vm: TestVm) => processOf(vm).guest;
  const records = () => readdirSync(join(host.stateDir, 'freezes'));

  it('are thawed when it is asked for: the freeze was whole', async () => {
    const vm = await runningVm();
    const frozen = await freeze(vm, 30_000);
    expect(frozen.fileSystemCount).toBe(1);
    expect(guestOf(vm).isFrozen).toBe(true);
    await expect(freeze(vm, 30_000)).rejects.toMatchObject({ code: 'conflict_state' });
    expect(await thaw(vm, frozen.freezeId)).toEqual({ fileSystemCount: 1, wasUnbroken: true });
    expect(guestOf(vm).isFrozen).toBe(false);
    expect(records()).toEqual([]);
  });

  it('are thawed at their deadline, also by a guest that refuses at first, and the freeze counts as broken', async () => {
    const vm = await runningVm();
    guestOf(vm).thawFailuresLeft = 2;
    const { freezeId } = await freeze(vm, 1_000);
    await vi.waitFor(() => expect(guestOf(vm).isFrozen).toBe(false), WAIT);
    await vi.waitFor(() => expect(records()).toEqual([]), WAIT);
    expect(await thaw(vm, freezeId)).toEqual({ fileSystemCount: 0, wasUnbroken: false });
  });

  it('are thawed by the next agent, whenever their deadline would be', async () => {
    const vm = await runningVm();
    const { freezeId } = await freeze(vm, 60_000);
    await host.agent?.close();
    expect(guestOf(vm).isFrozen).toBe(true);
    await host.start();
    await vi.waitFor(() => expect(guestOf(vm).isFrozen).toBe(false), WAIT);
    expect(await thaw(vm, freezeId)).toMatchObject({ wasUnbroken: false });
    expect(records()).toEqual([]);
  });

  it('are forgotten with the run of the VM', async () => {
    const vm = await runningVm();
    await freeze(vm, 1_000);
    processOf(vm).powerOff();
    await vi.waitFor(() => expect(records()).toEqual([]), WAIT);
  });

  it.each([0, 999, 60_001])('are refused for %i ms', async (durationMs) => {
    const vm = await runningVm();
    await expect(freeze(vm, durationMs)).rejects.toMatchObject({ code: 'invalid_request' });
    expect(guestOf(vm).isFrozen).toBe(false);
  });

  it('are not left behind by a guest without an agent', async () => {
    const vm = await runningVm();
    processOf(vm).hasGuestAgent = false;
    await expect(freeze(vm, 1_000)).rejects.toMatchObject({ code: 'guest_agent_failed' });
    expect(existsSync(join(host.stateDir, 'freezes', `${vm.vmId}.json`))).toBe(true);
    processOf(vm).hasGuestAgent = true;
    await vi.waitFor(() => expect(records()).toEqual([]), WAIT);
  });
});

it('the addresses of a guest are reported', async () => {
  const vm = await runningVm();
  await vi.waitFor(async () => {
    const [report] = (await calls().observeVms([vm.vmId])).vms;
    expect(report?.guestNetwork).toEqual({
      interfaces: [
        { name: 'eth0', macAddress: '52:54:00:00:00:01', addresses: [{ address: '10.0.0.5', prefixLength: 24 }] },
      ],
    });
  }, WAIT);
});
