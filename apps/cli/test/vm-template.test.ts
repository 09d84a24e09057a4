import type { VmTemplate } from '@kvorum/client';
import { describe, expect, it } from 'vitest';
import { type Call, openDouble, page, problem, type Reply } from './double.js';
import { AT, aVm, GIB, idOf } from './shapes.js';

const TEMPLATE: VmTemplate = {
  id: idOf(1),
  projectId: idOf(9),
  name: 'web-warm',
  state: 'available',
  hostId: idOf(4),
  hostName: 'host-a',
  goldenVmId: idOf(5),
  goldenVmName: 'web-1',
  baseTemplateId: null,
  flavorId: idOf(6),
  imageId: idOf(7),
  vcpuCount: 2,
  memoryBytes: GIB,
  rootDiskBytes: 10 * GIB,
  accelerator: 'kvm',
  machineType: 'pc-q35-10.0',
  hardware: aVm({}).hardware,
  hasSeedDisk: false,
  occupiedBytes: 2 * GIB,
  forkCount: 3,
  frozenAt: AT,
  operationId: idOf(8),
  failure: null,
  generation: 1,
  createdAt: AT,
  updatedAt: AT,
};
const VM = aVm({ id: idOf(5), name: 'web-1' });
const accepted = (kind: string, resourceKind: string, resourceId: string): Reply => ({
  status: 202,
  body: { operation: { id: idOf(8), kind, state: 'queued', resourceKind }, resourceId },
});
const FORK_IDS: Readonly<Record<string, string>> = { 'web-2': idOf(12), 'web-3': idOf(13) };
const nameIn = ({ body }: Call): string => (body as { name: string }).name;
const routes: Record<string, Reply> = {
  'GET /v1/vms': page(VM),
  'GET /v1/vm-templates': page(TEMPLATE),
  [`GET /v1/vm-templates/${TEMPLATE.id}`]: { status: 200, body: TEMPLATE },
  [`DELETE /v1/vm-templates/${TEMPLATE.id}`]: accepted('vm-template.delete', 'vm-template', TEMPLATE.id),
  [`POST /v1/vms/${VM.id}/freeze-template`]: accepted('vm.freeze-template', 'vm-template', TEMPLATE.id),
  'POST /v1/vms': (call) => {
    const id = FORK_IDS[nameIn(call)];
    return id === undefined
      ? problem(409, 'already_exists', `there is a VM called ${nameIn(call)}`)
      : accepted('vm.create', 'vm', id);
  },
  [`GET /v1/vms/${idOf(12)}`]: { status: 200, body: aVm({ id: idOf(12), name: 'web-2' }) },
  [`GET /v1/vms/${idOf(13)}`]: { status: 200, body: aVm({ id: idOf(13), name: 'web-3' }) },
};

describe('kvorum vm-template', () => {
  it('lists templates, and shows one', async () => {
    const { run } = await openDouble(routes);
    expect((await run('vm-template list')).stdout).toMatch(/web-warm\s+available\s+host-a\s+2\s+1 GiB\s+3\s+web-1/);
    const { stdout } = await run('vm-template get web-warm');
    expect(stdout).toContain('frozen of');
    expect(JSON.parse((await run('vm-template get web-warm -o json')).stdout)).toEqual(TEMPLATE);
  });

  it('deletes one by its name, and says how to watch it', async () => {
    const { run, calls } = await openDouble(routes);
    expect((await run('vm-template delete web-warm')).stderr).toContain(`kvorum operation watch ${idOf(8)}`);
    expect(calls.at(-1)?.call).toBe(`DELETE /v1/vm-templates/${TEMPLATE.id}`);
  });
});

describe('kvorum vm freeze-template', () => {
  it.each([
    ['vm freeze-template web-1 web-warm', { name: 'web-warm', keepsRunning: true }],
    ['vm freeze-template web-1 web-warm --stop', { name: 'web-warm', keepsRunning: false }],
  ])('%s', async (line, body) => {
    const { run, calls } = await openDouble(routes);
    expect((await run(line)).exitCode).toBe(0);
    expect(calls.at(-1)).toMatchObject({ call: `POST /v1/vms/${VM.id}/freeze-template`, body });
  });

  it('says what it would do', async () => {
    const steps = [{ name: 'freeze', undo: 'taken back' }];
    const plan = { operation: 'vm.freeze-template', steps, hostId: idOf(4), hostName: 'host-a', memoryBytes: GIB };
    const { run, calls } = await openDouble({
      ...routes,
      [`POST /v1/vms/${VM.id}/freeze-template`]: { status: 200, body: plan },
    });
    expect((await run('vm freeze-template web-1 web-warm --dry-run')).stdout).toContain(
      'vm.freeze-template: on host host-a, with 1 GiB of memory',
    );
    expect(calls.at(-1)?.query).toEqual({ dryRun: 'plan' });
  });
});

describe('kvorum vm fork', () => {
  it('creates a VM of each name with the template', async () => {
    const { run, calls } = await openDouble(routes);
    const { exitCode, stdout } = await run('vm fork web-warm web-2 web-3 --label tier=web');
    expect(exitCode).toBe(0);
    expect(stdout.indexOf('web-2')).toBeLessThan(stdout.indexOf('web-3'));
    const bodies = calls.filter(({ call }) => call === 'POST /v1/vms').map(({ body }) => body);
    const of = (name: string) => ({ name, templateId: TEMPLATE.id, labels: { tier: 'web' } });
    expect(bodies).toEqual([of('web-2'), of('web-3')]);
  });

  it('makes those that can be made, and ends with the first failure', async () => {
    const { run } = await openDouble(routes);
    const { exitCode, stdout, stderr } = await run('vm fork web-warm web-2 taken web-3');
    expect(exitCode).toBe(4);
    expect(stdout).toMatch(/web-2[\s\S]*web-3/);
    expect(stderr).toContain('there is a VM called taken');
  });
});

describe('kvorum vm create', () => {
  it('takes a template instead of a flavor and an image', async () => {
    const { run, calls } = await openDouble(routes);
    expect((await run('vm create web-2 --template web-warm')).exitCode).toBe(0);
    expect(calls.at(-1)?.body).toEqual({ name: 'web-2', start: true, templateId: TEMPLATE.id });
  });

  it.each([
    ['vm create web-2', '--flavor is not given'],
    ['vm create web-2 --flavor small', '--image is not given'],
  ])('%s lacks something', async (line, text) => {
    const { run } = await openDouble(routes);
    expect(await run(line)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(text) });
  });
});
