import { describe, expect, it } from 'vitest';
import { ok, openDouble, page, problem, type Reply } from './double.js';
import { anOperation, aVm, GIB, idOf } from './shapes.js';

const accepted = (kind: 'vm.move' | 'host.drain' | 'fleet.rebalance'): Reply => ({
  status: 202,
  body: { resourceId: idOf(1), operation: anOperation({ kind }) },
});
const MOVE = `POST /v1/vms/${idOf(1)}/move`;
const DRAIN = `POST /v1/hosts/${idOf(4)}/drain`;
const REBALANCE = 'POST /v1/rebalance';
const HOSTS = page({ id: idOf(4), name: 'host-b', state: 'active' });
const PLAN = {
  fromHostId: idOf(3),
  fromHostName: 'host-a',
  toHostId: idOf(4),
  toHostName: 'host-b',
  diskBytes: 20 * GIB,
  steps: ['ensure-images', 'offer', 'copy', 'hand-over'],
  lastStep: 'hand-over',
};

describe('kvorum vm move', () => {
  it('leaves the choice to placement, or names the host', async () => {
    const { run, calls } = await openDouble({
      'GET /v1/vms': page(aVm()),
      'GET /v1/hosts': HOSTS,
      [MOVE]: accepted('vm.move'),
    });
    expect(await run('vm move web-1')).toMatchObject({ exitCode: 0 });
    expect(await run('vm move web-1 --to host-b --idempotency-key k1')).toMatchObject({ exitCode: 0 });
    const asked = calls.filter(({ call }) => call === MOVE);
    expect(asked.map(({ body }) => body)).toEqual([{}, { hostId: idOf(4) }]);
    expect(asked[1]?.headers['idempotency-key']).toBe('k1');
  });

  it('says where the VM would go, and up to where all can be undone', async () => {
    const { run, calls } = await openDouble({ 'GET /v1/vms': page(aVm()), [MOVE]: ok(PLAN) });
    const { stdout } = await run('vm move web-1 --dry-run');
    expect(stdout).toMatch(/from +host-a\n.*to +host-b\n.*20 GiB[\s\S]*until it begins, all can be undone/);
    expect(calls.find(({ call }) => call === MOVE)?.query).toEqual({ dryRun: 'plan' });
  });

  it('shows the remedy of a VM that runs', async () => {
    const refused = problem(409, 'conflict_state', 'the VM is running: stop it first');
    const { run } = await openDouble({ 'GET /v1/vms': page(aVm()), [MOVE]: refused });
    const { exitCode, stderr } = await run('vm move web-1');
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('the VM is running: stop it first');
  });
});

describe('a plan', () => {
  it('is carried out on request', async () => {
    const { run, calls } = await openDouble({
      'GET /v1/hosts': HOSTS,
      [DRAIN]: accepted('host.drain'),
      [REBALANCE]: accepted('fleet.rebalance'),
    });
    expect(await run('host drain host-b --execute --max-moves 3')).toMatchObject({ exitCode: 0 });
    expect(await run('rebalance --execute --goal empty-hosts')).toMatchObject({ exitCode: 0 });
    const bodyOf = (asked: string) => calls.find(({ call }) => call === asked)?.body;
    expect(bodyOf(DRAIN)).toEqual({ moveCountMax: 3 });
    expect(bodyOf(REBALANCE)).toEqual({ goal: 'empty-hosts' });
  });

  it.each(['host drain host-b', 'host drain host-b --plan --execute', 'rebalance'])(
    'is shown or carried out, one of both: %s is asked again',
    async (command) => {
      const { run, calls } = await openDouble({});
      expect((await run(command)).stderr).toContain('Add --plan, or --execute.');
      expect(calls).toEqual([]);
    },
  );
});
