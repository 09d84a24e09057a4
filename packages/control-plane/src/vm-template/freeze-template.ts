import {
  type AcceptedOperation,
  DomainError,
  type FlavorId,
  type FreezeTemplateRequest,
  freezeObstaclesOf,
  type HostId,
  type ImageId,
  newId,
  nextOnRequest,
  type OperationId,
  type ProjectId,
  refusalOf,
  VM_TEMPLATES_PER_PROJECT_MAX,
  type VmId,
  type VmTemplateId,
  type VmTemplatePlan,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { lockProject } from '../project/project.store.js';
import { requireGeneration } from '../require-generation.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { hasPooledVolumes } from '../vm/move-vm.store.js';
import { targetOf } from '../vm/target-of-vm.js';
import { findVmForIntent, recordIntent, type VmForIntent } from '../vm/vm-intent.store.js';
import { type AskedOfTemplate, askOfTemplate, planOfTemplate } from './ask-of-template.js';
import { type FreezeTemplateInput, freezeTemplateOperation } from './freeze-template.operation.js';
import { hardwareOfTemplate } from './hardware-of-template.js';
import { countTemplates, insertTemplate } from './vm-template.store.js';

export interface FreezeTemplateOptions {
  readonly idempotency?: Idempotency | undefined;
  /** The generation of the VM the caller has seen; anything else is precondition_failed. */
  readonly ifMatch?: number | undefined;
}

/**
 * Makes a template of a running VM, on its host. Throws conflict_state that names what is in the way and what to do, already_exists,
 * quota_exceeded, precondition_failed, not_found.
 */
export function freezeTemplate(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: FreezeTemplateRequest,
  options: FreezeTemplateOptions = {},
): Promise<AcceptedOperation> {
  const id = newId<VmTemplateId>();
  return askOfTemplate(cp, actor, id, options, (tx, operationId) =>
    decide(tx, actor, vmId, request, { id, operationId, ifMatch: options.ifMatch }),
  );
}

/** What `freezeTemplate` would do. Changes nothing. */
export function planTemplateFreeze(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: FreezeTemplateRequest,
  { ifMatch }: Pick<FreezeTemplateOptions, 'ifMatch'> = {},
): Promise<VmTemplatePlan> {
  const id = newId<VmTemplateId>();
  return planOfTemplate(cp, (tx, operationId) => decide(tx, actor, vmId, request, { id, operationId, ifMatch }));
}

interface NewTemplateIds {
  readonly id: VmTemplateId;
  readonly operationId: OperationId;
  readonly ifMatch: number | undefined;
}

/** Locks the project and the VM, in this order. */
async function decide(
  tx: Tx,
  actor: Actor,
  vmId: VmId,
  { name, keepsRunning }: FreezeTemplateRequest,
  { id, operationId, ifMatch }: NewTemplateIds,
): Promise<AskedOfTemplate<FreezeTemplateInput>> {
  const vm = await findVmForIntent(tx, vmId);
  if (vm === null || vm.isDeleted) throw notFound('the VM');
  requireProject(actor, vm.projectId, 'the VM');
  requireGeneration('VM', vm, ifMatch);
  const { hostId, machineType, accelerator } = await requireFreezable(tx, vm);
  await requireTemplateCount(tx, vm.projectId);
  await holdGolden(tx, vm, operationId);
  const template = {
    ...{ id, operationId, name, hostId: hostId as HostId, projectId: vm.projectId as ProjectId },
    ...{ goldenVmId: vmId, goldenVmName: vm.name, baseTemplateId: vm.templateId as VmTemplateId | null },
    ...{ flavorId: vm.flavorId as FlavorId, imageId: vm.imageId as ImageId },
    ...{ vcpuCount: vm.vcpuCount, memoryBytes: vm.memoryBytes, rootDiskBytes: vm.rootDiskBytes },
    ...{ accelerator, machineType, hardware: hardwareOfTemplate(vm.hardware), hasSeedDisk: vm.cloudInit !== null },
  };
  if (!(await insertTemplate(tx, template))) throw nameTaken(name);
  return {
    definition: freezeTemplateOperation,
    input: { ...targetOf({ ...vm, hostId, accelerator }, vm.epoch), templateName: name, frozenId: id, keepsRunning },
    projectId: vm.projectId,
    hostId,
    memoryBytes: vm.memoryBytes,
  };
}

const nameTaken = (name: string): DomainError =>
  new DomainError('already_exists', `the project has a template called ${name} already: choose another name`, {
    details: { fields: [{ field: 'body.name', message: 'is taken' }] },
  });

type Placed = { readonly hostId: string; readonly machineType: string } & Pick<
  Parameters<typeof insertTemplate>[1],
  'accelerator'
>;

async function requireFreezable(tx: Tx, vm: VmForIntent): Promise<Placed> {
  if (vm.state !== 'running') {
    const isChanging = nextOnRequest(vm.state, 'update') === null;
    const what = isChanging ? refusalOf(vm.state, 'update') : `the VM is ${vm.state}: only one that runs can be frozen`;
    throw refusedFreeze([{ field: 'state', message: what }], { state: vm.state, operationId: vm.operationId });
  }
  const fields = freezeObstaclesOf(vm.hardware).map(({ field, what, remedy }) => ({
    field,
    message: `a VM ${what} cannot be frozen: ${remedy}`,
  }));
  const drives = vm.hardware.devices.cdroms.filter(({ imageId }) => imageId !== null);
  // A template would keep what lies in them from being deleted, for as long as it lives.
  for (const { name } of drives) {
    fields.push({ field: `hardware.devices.cdroms.${name}`, message: 'holds an image: eject it first' });
  }
  if (await hasPooledVolumes(tx, vm.vmId)) {
    const message = 'a VM with disks on storage pools cannot be frozen: freeze one whose root disk is on its host';
    fields.push({ field: 'hardware.devices.rootDisk.poolId', message });
  }
  if (fields.length > 0) throw refusedFreeze(fields, {});
  const { hostId, machineType, accelerator } = vm;
  if (hostId === null || accelerator === null) throw new TypeError(`VM ${vm.vmId} that runs has a host`);
  if (machineType === null) {
    const message = 'its host has not told which mainboard it has yet: ask again in a moment';
    throw refusedFreeze([{ field: 'machineType', message }], {});
  }
  return { hostId, machineType, accelerator };
}

const refusedFreeze = (fields: { field: string; message: string }[], details: object): DomainError =>
  new DomainError('conflict_state', fields.map(({ field, message }) => `${field}: ${message}`).join('; '), {
    details: { ...details, fields },
  });

/** Throws quota_exceeded. Locks the project. */
async function requireTemplateCount(tx: Tx, projectId: string): Promise<void> {
  await lockProject(tx, projectId);
  const templateCount = await countTemplates(tx, projectId);
  if (templateCount < VM_TEMPLATES_PER_PROJECT_MAX) return;
  throw new DomainError(
    'quota_exceeded',
    `the project has ${templateCount} templates, and may have ${VM_TEMPLATES_PER_PROJECT_MAX}: delete some`,
    { details: { templateCount, templateCountMax: VM_TEMPLATES_PER_PROJECT_MAX } },
  );
}

/** Nobody starts, stops or changes the VM until the operation has ended. */
async function holdGolden(tx: Tx, vm: VmForIntent, operationId: string): Promise<void> {
  const intent = { request: 'update', state: 'updating', epoch: vm.epoch, operationId } as const;
  if (!(await recordIntent(tx, vm, intent))) {
    throw new DomainError('conflict_state', 'another request for this VM came in between; look at it anew');
  }
  await recordEvent(tx, {
    type: 'vm.state',
    projectId: vm.projectId,
    resourceKind: 'vm',
    resourceId: vm.vmId,
    data: { from: vm.state, to: 'updating', request: 'freeze-template', operationId },
  });
}
