import { createHash, randomBytes } from 'node:crypto';
import { newId } from '@kvorum/schema';
import { BalloonStatus, PowerState } from '@kvorum/schema/agent-wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HostPressure, PressureSource } from '../src/index.js';
import { AgentCalls, MIB, SimulatedHost, TestVm } from './simulated-host.js';
import { SimulatedSite } from './simulated-site.js';

const NONE: HostPressure = { totalBytes: 8192 * MIB, availableBytes: 6000 * MIB, stallPercent: { some: 0, full: 0 } };
const HIGH: HostPressure = { totalBytes: 8192 * MIB, availableBytes: 100 * MIB, stallPercent: { some: 60, full: 30 } };

/** Says what the test wants. */
class TestPressure implements PressureSource {
  now: HostPressure | null = NONE;
  async read(): Promise<HostPressure> {
    if (this.now === null) throw new Error('no /proc');
    return this.now;
  }
}

/** Its step is 32 MiB: two rounds to the minimum. */
const MEMORY = 256 * MIB;
const WAIT = { timeout: 30_000, interval: 50 };
let site: SimulatedSite;
let host: SimulatedHost;
let pressure: TestPressure;
beforeEach(async () => {
  pressure = new TestPressure();
  site = await SimulatedSite.start();
  host = await SimulatedHost.create(site, pressure);
  await host.start();
});
afterEach(async () => {
  await host.remove();
  site.close();
});

const calls = () => new AgentCalls(site.agentClient(host.agent!));
const processOf = ({ vmId }: TestVm) => host.machine.processOf(vmId);

async function runningVm(balloon: { minimumBytes: number; shares: number } | undefined): Promise<TestVm> {
  const vm = new TestVm();
  const content = randomBytes(5_000);
  const imageId = newId();
  const sha256 = createHash('sha256').update(content).digest('hex');
  site.images.set(imageId, content);
  const { client } = calls();
  for await (const _ of client.ensureImage({ imageId, sha256, sizeBytes: content.byteLength, peers: [] }));
  const disk = { volumeId: vm.volumeId, sizeBytes: 16 * MIB, imageId, imageSha256: sha256 };
  await calls().unary(client.ensureDisk, { intent: vm.intent(1), ...disk });
  await calls().ensureVm(vm.request(vm.intent(1), { spec: vm.spec({ memoryBytes: MEMORY, balloon }) }));
  return vm;
}
const reportOf = async ({ vmId }: TestVm) => (await calls().observeVms([vmId])).vms[0];
const POLICY = { minimumBytes: 192 * MIB, shares: 1000 };

describe('balloons of a host', () => {
  it('give under pressure down to what the guest needs, and all of it comes back afterwards', async () => {
    const vm = await runningVm({ ...POLICY, minimumBytes: 64 * MIB });
    processOf(vm).usedBytes = 170 * MIB;
    pressure.now = HIGH;
    // The working set and a margin of 32 MiB.
    await vi.waitFor(() => expect(processOf(vm).balloonBytes).toBe(202 * MIB), WAIT);
    await vi.waitFor(async () => {
      expect(await reportOf(vm)).toMatchObject({
        balloonStatus: BalloonStatus.BALLOON_STATUS_ACTIVE,
        balloonBytes: 202 * MIB,
        workingSetBytes: 170 * MIB,
      });
    }, WAIT);
    pressure.now = NONE;
    await vi.waitFor(() => expect(processOf(vm).balloonBytes).toBe(MEMORY), WAIT);
  });

  it('are taken up by a restarted agent where the last one left them', async () => {
    const vm = await runningVm(POLICY);
    pressure.now = HIGH;
    await vi.waitFor(() => expect(processOf(vm).balloonBytes).toBeLessThan(MEMORY), WAIT);
    await host.restart();
    await vi.waitFor(() => expect(processOf(vm).balloonBytes).toBe(192 * MIB), WAIT);
  });

  it('stay as they are where guests may not or cannot give, which is reported', async () => {
    const plain = await runningVm(undefined);
    const mute = await runningVm(POLICY);
    const silent = await runningVm(POLICY);
    const hung = await runningVm(POLICY);
    const moving = await runningVm(POLICY);
    const giving = await runningVm(POLICY);
    processOf(mute).hasBalloonDriver = false;
    processOf(silent).statsFrozenAtMs = Date.now() - 60_000;
    processOf(hung).isHung = true;
    processOf(moving).isMigrating = true;
    pressure.now = HIGH;
    await vi.waitFor(() => expect(processOf(giving).balloonBytes).toBe(192 * MIB), WAIT);
    const left = [plain, mute, silent, hung, moving];
    expect(left.map((vm) => processOf(vm).balloonBytes)).toEqual(left.map(() => MEMORY));
    const reports = await Promise.all(left.map(reportOf));
    expect(reports.map((report) => report?.balloonStatus)).toEqual([
      BalloonStatus.BALLOON_STATUS_DISABLED,
      BalloonStatus.BALLOON_STATUS_NO_DRIVER,
      BalloonStatus.BALLOON_STATUS_NOT_ANSWERING,
      BalloonStatus.BALLOON_STATUS_NOT_ANSWERING,
      BalloonStatus.BALLOON_STATUS_ACTIVE,
    ]);
  });

  it('rest while the VM is paused, and while pressure is not known', async () => {
    const paused = await runningVm(POLICY);
    const other = await runningVm(POLICY);
    const power = PowerState.POWER_STATE_PAUSED;
    await calls().ensureVm(
      paused.request(paused.intent(2), { power, spec: paused.spec({ memoryBytes: MEMORY, balloon: POLICY }) }),
    );
    pressure.now = HIGH;
    await vi.waitFor(() => expect(processOf(other).balloonBytes).toBe(192 * MIB), WAIT);
    expect(processOf(paused).balloonBytes).toBe(MEMORY);
    pressure.now = null;
    // A guest that is short gets memory all the same, until it is not short any more.
    processOf(other).usedBytes = 200 * MIB;
    await vi.waitFor(() => expect(processOf(other).balloonBytes).toBe(224 * MIB), WAIT);
    expect(processOf(paused).balloonBytes).toBe(MEMORY);
  });

  it('are asked for by an intent at any time: the policy never makes it wait', async () => {
    const vm = await runningVm(POLICY);
    pressure.now = HIGH;
    await vi.waitFor(() => expect(processOf(vm).balloonBytes).toBeLessThan(MEMORY), WAIT);
    processOf(vm).isHung = true;
    const power = PowerState.POWER_STATE_STOPPED;
    const spec = vm.spec({ memoryBytes: MEMORY, balloon: POLICY });
    const { vm: stopped } = await calls().ensureVm(vm.request(vm.intent(2), { power, spec }));
    expect(stopped?.power).toBe(power);
  });
});
