import { type Flavor, type Project, type ProjectId, VmHardware, type VmId, type VmTemplateId } from '@kvorum/schema';
import { expect, vi } from 'vitest';
import type { Database } from '../../src/database/database.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { getVm } from '../../src/vm/vms.js';
import { freezeTemplate } from '../../src/vm-template/freeze-template.js';
import { makeWorker, workToEnd } from '../operation-harness.js';
import { aName, aProject, vmRequest } from '../world/fleet-builder.js';
import { REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';

/** A VM of a project of its own on a simulated host, and a template of it. */
export interface TemplateWorld {
  readonly database: Database;
  readonly project: Project;
  readonly vmId: VmId;
  templateId: VmTemplateId;
  /** Of the VM that the test asks for. */
  forkId: VmId;
}

type Kind = Parameters<typeof operationDefinitions.get>[0];
export const definitionOf = (kind: Kind): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};

export type Accepted = Awaited<ReturnType<typeof createVm>>;
/** Works on what was asked for until it has succeeded; returns the id of what it is about. */
export const perform = async ({ test: { cp } }: SimulatedFleet, asked: Promise<Accepted>): Promise<string> => {
  const { operation, resourceId } = await asked;
  const worker = makeWorker(cp.database, definitionOf(operation.kind), cp);
  try {
    expect(await workToEnd(cp.database, worker, operation.id)).toEqual({ state: 'succeeded', error: null });
  } finally {
    worker.die();
  }
  return resourceId;
};

const RUNNING = { state: 'running', machineType: expect.any(String) };
export async function aWorldWithVm(
  fleet: SimulatedFleet,
  { hardware = {}, flavor = fleet.flavor, ...changes }: { hardware?: object; flavor?: Flavor; cloudInit?: object } = {},
): Promise<TemplateWorld> {
  const { cp, admin } = fleet.test;
  const project = await aProject(fleet.test);
  const of = { projectId: project.id as ProjectId, hardware: VmHardware.parse(hardware), ...(changes as object) };
  const vmId = (await perform(fleet, createVm(cp, admin, vmRequest({ ...fleet, flavor }, of)))) as VmId;
  await vi.waitFor(async () => expect(await getVm(cp, admin, vmId)).toMatchObject(RUNNING), REPORT_WAIT);
  return { database: cp.database, project, vmId, templateId: '' as VmTemplateId, forkId: '' as VmId };
}

export async function freeze(fleet: SimulatedFleet, world: TemplateWorld, keepsRunning = true): Promise<Accepted> {
  const request = { name: aName('template'), keepsRunning };
  const accepted = await freezeTemplate(fleet.test.cp, fleet.test.admin, world.vmId, request);
  world.templateId = accepted.resourceId as VmTemplateId;
  return accepted;
}

export async function aWorldWithTemplate(
  fleet: SimulatedFleet,
  changes: Parameters<typeof aWorldWithVm>[1] = {},
): Promise<TemplateWorld> {
  const world = await aWorldWithVm(fleet, changes);
  await perform(fleet, freeze(fleet, world));
  return world;
}

export const powersOf = (fleet: SimulatedFleet, vmId: VmId): string[] =>
  fleet.hosts.flatMap(({ machine }) =>
    [...machine.processes.values()].filter(({ launch }) => launch.vmId === vmId).map(({ power }) => power),
  );

/** Later tests count processes of their own VMs alone; these are ended so that none pile up. */
export async function endGuests(fleet: SimulatedFleet, world: TemplateWorld): Promise<void> {
  const own = [world.vmId, world.forkId];
  for (const { machine } of fleet.hosts) {
    for (const process of machine.processes.values()) if (own.includes(process.launch.vmId as VmId)) process.crash();
  }
}
