import { z } from 'zod';
import { FlavorId, HostId, ImageId, ProjectId, VmGroupId, VmTemplateId } from '../ids.js';
import { Labels, ResourceName } from '../names.js';
import { Accelerator, BalloonRequest } from './vm.schema.js';
import { CloudInitRequest } from './vm-cloud-init.schema.js';
import { VmHardware } from './vm-hardware.schema.js';
import { DiskBytes } from './vm-size.schema.js';
import { WaitForCapacity } from './wait-for-capacity.schema.js';

export const CreateVmRequest = z
  .strictObject({
    name: ResourceName,
    projectId: ProjectId.optional().meta({
      description: "Defaults to the token's project, or to the project `default`",
    }),
    flavorId: FlavorId.optional().meta({ description: 'Its size. Needed, unless there is a templateId' }),
    imageId: ImageId.optional().meta({ description: 'What its disk begins as. Needed, unless there is a templateId' }),
    templateId: VmTemplateId.optional().meta({
      description:
        "It goes on where this template of its project was frozen, on the template's host and in its machine: name, network cards, limits of the root disk, cloudInit, group and labels alone are its own",
    }),
    rootDiskBytes: DiskBytes.optional().meta({
      description: "Defaults to the flavor's; never below the image's virtual size",
    }),
    accelerator: Accelerator.optional().meta({ description: 'Default: whatever the chosen host offers' }),
    hostId: HostId.optional().meta({ description: 'Admins only: place on this host or refuse' }),
    balloon: BalloonRequest.optional().meta({
      description: 'May the host ask for unused memory back while it is short of it? Default: yes, down to half',
    }),
    hardware: VmHardware.prefault({}),
    cloudInit: CloudInitRequest.optional().meta({
      description: 'Who the guest is, for cloud-init. Default: the VM has no seed disk',
    }),
    start: z.boolean().default(true).meta({ description: 'false: create it stopped' }),
    waitForCapacity: WaitForCapacity.optional().meta({
      description: 'Without room, wait for it in a queue instead of being refused. Default: refused at once',
    }),
    vmGroupId: VmGroupId.optional().meta({
      description: 'The VM is placed by the rules of this group of its project. Default: in none',
    }),
    highAvailability: z.boolean().default(false).meta({
      description:
        'true: room is kept for it in a host group with a reserve, should its host be lost. This release does not restart it by itself',
    }),
    labels: Labels.default({}),
  })
  .superRefine((request, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (request.templateId === undefined) {
      if (request.flavorId === undefined) refuse('flavorId', 'is needed, or templateId');
      if (request.imageId === undefined) refuse('imageId', 'is needed, or templateId');
      return;
    }
    for (const field of ['flavorId', 'imageId', 'rootDiskBytes', 'accelerator'] as const) {
      if (request[field] !== undefined) refuse(field, "does not go with templateId: it is the template's");
    }
    if (request.waitForCapacity !== undefined) {
      refuse('waitForCapacity', 'does not go with templateId: one host alone can have the VM; try again later');
    }
    if (!request.start) refuse('start', 'does not go with templateId: a fork goes on at once; stop it afterwards');
  })
  .meta({ id: 'CreateVmRequest' });
export type CreateVmRequest = z.infer<typeof CreateVmRequest>;
