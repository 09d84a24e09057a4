import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NetworkFault } from '@kvorum/host-network';
import { DomainError, type HostNetworks, NO_HOST_NETWORKS } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NetworkKeeper } from './network-keeper.js';

const NETWORK_ID = '019a0000-0000-7000-8000-000000000001';
const PORT_ID = '019a0000-0000-7000-8000-000000000002';
const withPorts = (...ids: string[]): HostNetworks => ({
  networks: [
    {
      kind: 'nat',
      id: NETWORK_ID,
      segmentId: 4096,
      cidr: '10.20.0.0/24',
      gateway: '10.20.0.1',
      dnsDomain: 'shop.internal',
      mtu: 1400,
      ports: ids.map((id, index) => ({
        id,
        name: null,
        macAddress: `52:54:00:00:00:0${index}`,
        address: `10.20.0.${index + 2}`,
        securityGroupIds: [],
        ingressBitsPerSecond: null,
        egressBitsPerSecond: null,
        floatingAddress: null,
      })),
      otherNames: [],
    },
  ],
  securityGroups: [],
});
const FAULT: NetworkFault = { networkId: NETWORK_ID, error: new DomainError('host_fault', 'there is no interface') };

let folder: string;
let applied: HostNetworks[];
let answer: () => Promise<NetworkFault[]>;
const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const open = () =>
  NetworkKeeper.open({
    file: join(folder, 'desired.json'),
    apply: (desired) => {
      applied.push(desired);
      return answer();
    },
    log,
  });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvorum-keeper-'));
  applied = [];
  answer = async () => [];
  vi.clearAllMocks();
});
afterEach(() => rm(folder, { recursive: true }));

describe('the networks of a host', () => {
  it('are made, kept, and made again by the next agent without being told', async () => {
    const keeper = await open();
    expect(await keeper.ensure(3, withPorts(PORT_ID))).toEqual([]);
    await keeper.close();
    const next = await open();
    next.start();
    expect(await next.portOf(PORT_ID)).toMatchObject({ interfaceName: 'kvt000000000002', mtu: 1400 });
    expect(applied).toEqual([withPorts(PORT_ID), withPorts(PORT_ID)]);
    expect(next.revision).toBe(3);
    await next.close();
  });

  it('are left alone on a host that was never told of any', async () => {
    const keeper = await open();
    keeper.start();
    await keeper.close();
    expect(applied).toEqual([]);
  });

  it('of an older revision are refused and change nothing; the same one is made again', async () => {
    const keeper = await open();
    await keeper.ensure(3, withPorts(PORT_ID));
    await expect(keeper.ensure(2, NO_HOST_NETWORKS)).rejects.toMatchObject({ code: 'stale_generation' });
    await keeper.ensure(3, NO_HOST_NETWORKS);
    expect(applied).toEqual([withPorts(PORT_ID), withPorts(PORT_ID)]);
    await keeper.close();
  });

  it('are on disk before anything is done, and tried again if it fails', async () => {
    const keeper = await open();
    answer = () => Promise.reject(new DomainError('host_fault', 'nft: broken'));
    await expect(keeper.ensure(1, withPorts(PORT_ID))).rejects.toMatchObject({ message: 'nft: broken' });
    expect(JSON.parse(await readFile(join(folder, 'desired.json'), 'utf8'))).toMatchObject({ revision: 1 });
    await keeper.close();
    answer = async () => [];
    const next = await open();
    next.start();
    await next.portOf(PORT_ID);
    expect(applied).toHaveLength(2);
    await next.close();
  });

  it('are made one application after the other, and the last one told is the last one made', async () => {
    let running = 0;
    answer = async () => {
      running += 1;
      expect(running).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return [];
    };
    const keeper = await open();
    const ids = [1, 2, 3].map((last) => PORT_ID.replace(/.$/, String(last)));
    await Promise.all(ids.map((id, index) => keeper.ensure(index + 1, withPorts(id))));
    expect(applied.at(-1)).toEqual(withPorts(ids[2] as string));
    await keeper.close();
  });

  it('that are not as they are to be are named in the answer, and in the log once', async () => {
    const keeper = await open();
    answer = async () => [FAULT];
    expect(await keeper.ensure(1, withPorts())).toEqual([FAULT]);
    await keeper.ensure(1, withPorts());
    expect(log.warn).toHaveBeenCalledTimes(1);
    await keeper.close();
  });

  it('do not keep an agent from starting when their record is damaged', async () => {
    await writeFile(join(folder, 'desired.json'), '{"revision": 7, "desired": {"networks": [{"id": "../x"}]}}');
    const keeper = await open();
    keeper.start();
    expect([keeper.revision, applied]).toEqual([0, []]);
    expect(log.warn).toHaveBeenCalledTimes(1);
    await keeper.close();
  });

  it('told of many times while they are being made are made once more, as told last, and all hear of that', async () => {
    let go = () => {};
    answer = () => new Promise((resolve) => (go = () => resolve([])));
    const keeper = await open();
    const first = keeper.ensure(1, withPorts());
    await vi.waitFor(() => expect(applied).toHaveLength(1));
    const others = Array.from({ length: 30 }, (_, index) => keeper.ensure(2 + index, withPorts(PORT_ID)));
    await vi.waitFor(() => expect(keeper.revision).toBe(31), 8000);
    answer = async () => [FAULT];
    go();
    expect(await first).toEqual([]);
    expect(await Promise.all(others)).toEqual(others.map(() => [FAULT]));
    expect(applied).toEqual([withPorts(), withPorts(PORT_ID)]);
    await keeper.close();
  });
});

it('a port of no VM of this host is told so', async () => {
  const keeper = await open();
  await keeper.ensure(1, withPorts());
  expect(await keeper.portOf(PORT_ID)).toBeNull();
  await keeper.close();
});
