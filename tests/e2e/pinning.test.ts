import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { openQemuDriver, threadCpus } from '@kvorum/hypervisor-driver';
import { type Agent, startAgent } from '@kvorum/node-agent';
import { newId } from '@kvorum/schema';
import { PowerState, type VmReport } from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentCalls, silentLog, TestVm } from '../../apps/node-agent/test/simulated-host.js';
import { SimulatedSite } from '../../apps/node-agent/test/simulated-site.js';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { qemuPids } from './leftovers.js';

const DISK_BYTES = 48 * 1024 * 1024;
const WAIT_MS_MAX = 30_000;
const hasTwoCpus = availableParallelism() >= 2;
if (!hasTwoCpus) console.log('skipped: a dedicated CPU needs a second one for all else');

describe.skipIf(!hasTwoCpus)('CPUs of their own, as the kernel says', () => {
  let site: SimulatedSite;
  let folder: string;
  let agent: Agent;
  const [shared, dedicated, late] = [new TestVm(), new TestVm(), new TestVm()];
  const cpuPolicy = { cpuPolicy: { policy: 'dedicated' } };

  const openAgent = async () => {
    agent = await startAgent({
      config: {
        stateDir: path.join(folder, 's'),
        runDir: path.join(folder, 'r'),
        joinFile: path.join(folder, 'join'),
        enrolAddress: `127.0.0.1:${site.enrolPort}`,
        name: 'host-a',
        allowEmulation: true,
      },
      driver: openQemuDriver(),
      log: silentLog,
    });
  };
  const calls = () => new AgentCalls(site.agentClient(agent));
  const report = async (vm: TestVm): Promise<VmReport> => {
    const [found] = (await calls().observeVms([vm.vmId])).vms;
    if (found === undefined) throw new Error('the VM is not reported');
    return found;
  };
  /** Each set of CPUs that a thread of the VM may run on. */
  const cpuSets = async (vm: TestVm): Promise<string[]> => {
    const { pid } = await report(vm);
    const sets = readdirSync(`/proc/${pid}/task`).map((threadId) => threadCpus(Number(threadId)).join(','));
    return [...new Set(sets)].sort();
  };
  const make = async (vm: TestVm) => {
    const content = await readFile((await guestImage('boot-sector')).path);
    const image = { imageId: vm.imageId, sha256: createHash('sha256').update(content).digest('hex') };
    site.images.set(vm.imageId, content);
    const { client } = calls();
    for await (const _ of client.ensureImage({ ...image, sizeBytes: content.byteLength, peers: [] }));
    await calls().unary(client.ensureDisk, {
      intent: { ...vm.intent(1), operationId: newId() },
      volumeId: vm.volumeId,
      sizeBytes: DISK_BYTES,
      imageId: image.imageId,
      imageSha256: image.sha256,
    });
  };
  const start = (vm: TestVm, hardware: object | undefined, generation = 2) =>
    calls().ensureVm(
      vm.request(vm.intent(generation), { spec: vm.spec({ hardware: hardware as { [key: string]: unknown } }) }),
    );

  beforeAll(async () => {
    site = await SimulatedSite.start();
    folder = await mkdtemp('/tmp/kv-');
    await mkdir(path.join(folder, 's'));
    await site.writeJoinFile(path.join(folder, 'join'));
    await openAgent();
    for (const vm of [shared, dedicated, late]) await make(vm);
    await start(shared, undefined);
  }, 120_000);
  afterAll(async () => {
    await agent?.close();
    for (const pid of qemuPids({ runDir: folder })) process.kill(pid, 'SIGKILL');
    site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('a VM that comes takes them from running shared VMs, and other threads of it stay off as well', async () => {
    const before = await cpuSets(shared);
    await start(dedicated, cpuPolicy);
    const { runsOn } = await report(dedicated);
    const [own] = runsOn?.vcpuCpus ?? [];
    expect(own).toBeGreaterThan(0);
    const others = threadCpus(0)
      .filter((cpu) => cpu !== own)
      .join(',');
    expect(await cpuSets(dedicated)).toEqual([others, `${own}`].sort());
    expect(await cpuSets(shared)).toEqual([others]);
    expect(before).toEqual([threadCpus(0).join(',')]);
  });

  test('a thread that somebody moves is reported with numbers first, and then put back', async () => {
    const { pid } = await report(dedicated);
    const before = await cpuSets(dedicated);
    const condition = await eventually('the drift is reported', WAIT_MS_MAX, async () => {
      execFileSync('taskset', ['-pc', '0', `${pid}`], { stdio: 'ignore' });
      execFileSync('taskset', ['-apc', threadCpus(0).join(','), `${pid}`], { stdio: 'ignore' });
      return (await report(dedicated)).conditions[0];
    });
    expect(condition.kind).toBe('cpu-drift');
    expect(condition.detail).toMatch(/^\d+ of \d+ threads are not on their CPUs: .*promised is \d/);
    await eventually('the drift is repaired', WAIT_MS_MAX, async () => {
      return (await report(dedicated)).conditions.length === 0;
    });
    expect(await cpuSets(dedicated)).toEqual(before);
  });

  test('outlive the agent, and no second VM gets them', async () => {
    const before = await cpuSets(dedicated);
    await agent.close();
    await openAgent();
    expect(await cpuSets(dedicated)).toEqual(before);
    const hardware = { cpuPolicy: { policy: 'dedicated' } };
    const free = threadCpus(0).length - 2;
    if (free === 0) await expect(start(late, hardware)).rejects.toMatchObject({ code: 'no_capacity' });
  });

  test('go back to shared VMs when their VM ends', async () => {
    const stopped = { spec: dedicated.spec(), power: PowerState.POWER_STATE_STOPPED };
    await calls().ensureVm(dedicated.request(dedicated.intent(3), stopped));
    const all = threadCpus(0).join(',');
    await eventually('shared threads run everywhere', WAIT_MS_MAX, async () => (await cpuSets(shared))[0] === all);
  });
});
