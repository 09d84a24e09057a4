import { isDeepStrictEqual } from 'node:util';
import {
  type CreateVmRequest,
  DomainError,
  type FlavorId,
  type ImageId,
  PLAIN_HARDWARE,
  type VmHardware,
  type VmTemplate,
} from '@kvorum/schema';
import type { Actor } from '../control-plane.js';
import type { Database } from '../database/database.js';
import { refusalOf } from '../vm/assign-devices.js';
import { hardwareOfTemplate } from './hardware-of-template.js';
import { findTemplate } from './vm-template.store.js';
import { visibleTemplate } from './vm-templates.js';

/** A request with all that a template decides. */
export type NewVmRequest = CreateVmRequest & { readonly flavorId: FlavorId; readonly imageId: ImageId };

/** Throws not_found, conflict_state and invalid_request that name the field. */
export async function withTemplate(database: Database, actor: Actor, given: CreateVmRequest): Promise<NewVmRequest> {
  const { flavorId, imageId, templateId } = given;
  if (templateId !== undefined) {
    return requestOfFork(given, visibleTemplate(actor, await findTemplate(database, templateId), 'body.templateId'));
  }
  if (flavorId === undefined || imageId === undefined) {
    throw new TypeError('the shape of the request asks for a flavor and an image');
  }
  return { ...given, flavorId, imageId };
}

/** A fork goes on in the machine that was frozen, where that lies. Throws as above. */
export function requestOfFork(given: CreateVmRequest, template: VmTemplate): NewVmRequest {
  requireAvailable(template);
  const { projectId, hostId, cloudInit } = given;
  if (projectId !== undefined && projectId !== template.projectId) {
    throw refusalOf('body.projectId', "is not the template's: its memory may hold what is that project's alone");
  }
  if (hostId !== undefined && hostId !== template.hostId) {
    throw refusalOf('body.hostId', `is not where the template lies, ${template.hostId}; leave it out`);
  }
  if (cloudInit !== undefined && !template.hasSeedDisk) {
    throw refusalOf(
      'body.cloudInit',
      'is not possible: the VM that was frozen had no seed disk, and neither have forks',
    );
  }
  const { flavorId, imageId, rootDiskBytes, accelerator } = template;
  return {
    ...given,
    ...{ flavorId, imageId, rootDiskBytes, accelerator, projectId: template.projectId, hostId: template.hostId },
    hardware: hardwareOfFork(given.hardware, template),
    ...(template.hasSeedDisk
      ? { cloudInit: cloudInit ?? { hostname: null, sshAuthorizedKeys: [], userData: null } }
      : {}),
  };
}

/** Throws conflict_state. */
export function requireAvailable({ name, state, operationId, failure }: VmTemplate): void {
  if (state === 'available') return;
  const why = failure === null ? 'wait for its operation' : failure.message;
  throw new DomainError('conflict_state', `template ${name} is ${state}: ${why}`, {
    details: { state, operationId, fields: [{ field: 'body.templateId', message: `is ${state}` }] },
  });
}

/** Cards and limits of the disk are the fork's own. All else is the template's, and may be told as that or not at all. */
function hardwareOfFork(wanted: VmHardware, { hardware, machineType }: VmTemplate): VmHardware {
  const asked = hardwareOfTemplate(wanted);
  for (const part of Object.keys(asked) as (keyof VmHardware)[]) {
    const isKept = [PLAIN_HARDWARE, hardware].some((known) => isDeepStrictEqual(asked[part], known[part]));
    if (!isKept) throw refusedPart(`body.hardware.${part}`);
  }
  if (![null, machineType].includes(wanted.machineType)) throw refusedPart('body.hardware.machineType');
  const { sizeBytes, poolId, throttle } = wanted.devices.rootDisk;
  if (sizeBytes !== null || poolId !== null) {
    throw refusedPart(`body.hardware.devices.rootDisk.${sizeBytes === null ? 'poolId' : 'sizeBytes'}`);
  }
  const rootDisk = { ...hardware.devices.rootDisk, throttle };
  return { ...hardware, machineType, devices: { ...hardware.devices, nics: wanted.devices.nics, rootDisk } };
}

const refusedPart = (field: string): DomainError =>
  refusalOf(field, "is the template's: of a fork, network cards and limits of the root disk alone differ");
