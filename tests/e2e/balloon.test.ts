import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { openQemuDriver } from '@kvorum/hypervisor-driver';
import { type Agent, type HostPressure, startAgent } from '@kvorum/node-agent';
import { newId } from '@kvorum/schema';
import { BalloonStatus, GuestAgentState } from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentCalls, silentLog, TestVm } from '../../apps/node-agent/test/simulated-host.js';
import { SimulatedSite } from '../../apps/node-agent/test/simulated-site.js';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { startInGuest } from './guest-exec.js';
import { qemuPids } from './leftovers.js';

const MIB = 1024 * 1024;
const MEMORY = 256 * MIB;
const MINIMUM = 160 * MIB;
const BOOT_MS_MAX = 180_000;
const MOVE_MS_MAX = 120_000;
/** What the guest reads of its disk, so that it fills with pages it can do without; and what it then asks for. */
const CACHED_MIB = 140;
const DEMANDED_MIB = 100;

const HOST = { totalBytes: 64 * 1024 * MIB, stallPercent: { some: 0, full: 0 } };
const PLENTY: HostPressure = { ...HOST, availableBytes: 48 * 1024 * MIB };
const SCARCE: HostPressure = { ...HOST, availableBytes: 1024 * MIB };

/** Fills the page cache; once its balloon has taken memory it asks for more than it was left, and says so. */
const GUEST_WORK = `
  dd if=/dev/vda of=/dev/null bs=1M count=${CACHED_MIB}
  echo KVORUM-CACHED > /dev/console
  mkdir -p /demand; mount -t tmpfs -o size=${DEMANDED_MIB + 20}m tmpfs /demand
  while [ $(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) -gt ${MINIMUM / MIB - 45} ]; do sleep 1; done
  sleep 5
  for part in $(seq ${DEMANDED_MIB / 10}); do dd if=/dev/zero of=/demand/$part bs=1M count=10; sleep 0.5; done
  echo KVORUM-DEMANDED $(cat /demand/* | wc -c) > /dev/console
`;

describe('memory that a guest does not use', () => {
  let site: SimulatedSite;
  let folder: string;
  let agent: Agent;
  let pressure = PLENTY;
  const vm = new TestVm();
  const spec = vm.spec({ memoryBytes: MEMORY, balloon: { minimumBytes: MINIMUM, shares: 1000 } });

  const start = async () => {
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
      pressure: { read: async () => pressure },
      log: silentLog,
    });
  };
  const calls = () => new AgentCalls(site.agentClient(agent));
  const report = async () => (await calls().observeVms([vm.vmId])).vms[0];
  const consoleText = () => readFile(path.join(folder, 'r', vm.vmId, 'console.log'), 'utf8');
  const residentBytes = async () => {
    const [pid] = qemuPids({ runDir: folder });
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  };

  beforeAll(async () => {
    site = await SimulatedSite.start();
    // A run folder's path must be short: unix sockets lie below it.
    folder = await mkdtemp('/tmp/kv-');
    await mkdir(path.join(folder, 's'));
    await site.writeJoinFile(path.join(folder, 'join'));
    await start();
    const content = await readFile((await guestImage('tiny')).path);
    const image = { imageId: vm.imageId, sha256: createHash('sha256').update(content).digest('hex') };
    site.images.set(vm.imageId, content);
    const { client } = calls();
    for await (const _ of client.ensureImage({ ...image, sizeBytes: content.byteLength, peers: [] }));
    await calls().unary(client.ensureDisk, {
      intent: { ...vm.intent(1), operationId: newId() },
      volumeId: vm.volumeId,
      sizeBytes: MEMORY,
      imageId: image.imageId,
      imageSha256: image.sha256,
    });
    await calls().ensureVm(vm.request(vm.intent(1), { spec }));
    await eventually('the guest agent answers', BOOT_MS_MAX, async () => {
      return (await report())?.guestAgent === GuestAgentState.GUEST_AGENT_STATE_RESPONDING;
    });
  }, BOOT_MS_MAX);
  afterAll(async () => {
    await agent?.close();
    for (const pid of qemuPids({ runDir: folder })) process.kill(pid, 'SIGKILL');
    site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('goes to the host under pressure and comes back when the guest asks for it', async () => {
    // The agent lets go of the guest's channel, and takes the VM up again afterwards.
    await agent.close();
    await startInGuest(path.join(folder, 'r', vm.vmId, 'io', 'guest-agent.sock'), GUEST_WORK);
    await eventually('the guest has filled its cache', MOVE_MS_MAX, async () =>
      (await consoleText()).includes('KVORUM-CACHED'),
    );
    const fullBytes = await residentBytes();
    pressure = SCARCE;
    await start();
    const lowBytes = await eventually('the balloon is at the minimum', MOVE_MS_MAX, async () => {
      const bytes = await residentBytes();
      return (await report())?.balloonBytes === MINIMUM ? bytes : undefined;
    });
    expect(fullBytes - lowBytes).toBeGreaterThan(64 * MIB);
    expect(await report()).toMatchObject({ balloonStatus: BalloonStatus.BALLOON_STATUS_ACTIVE });
    expect((await report())?.workingSetBytes).toBeLessThan(MINIMUM);
    // Still under pressure: what a guest needs is not refused.
    await eventually('the guest has what it asked for', MOVE_MS_MAX, async () =>
      (await consoleText()).includes(`KVORUM-DEMANDED ${DEMANDED_MIB * MIB}`),
    );
    const usedBytes = await eventually('the guest has more memory than before', MOVE_MS_MAX, async () => {
      const { balloonBytes = 0, workingSetBytes = 0 } = (await report()) ?? {};
      return balloonBytes > MINIMUM && balloonBytes < MEMORY && workingSetBytes > MINIMUM - 32 * MIB
        ? residentBytes()
        : undefined;
    });
    expect(usedBytes).toBeGreaterThan(lowBytes);
    pressure = PLENTY;
    await eventually('all memory is back', MOVE_MS_MAX, async () => (await report())?.balloonBytes === MEMORY);
  });
});
