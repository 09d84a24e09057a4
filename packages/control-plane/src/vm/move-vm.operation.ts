import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { release } from '../host/reservation.store.js';
import { irreversible, nothing, type StepContext } from '../operations/define-operation.js';
import { ensureImages } from './ensure-images.js';
import { NeededImage } from './media-of-drives.js';
import { writeMovedVm } from './move-vm.store.js';
import { peerOf, permissionOf } from './peer-hosts.js';
import { settleVm } from './settle-vm.js';
import {
  agentOf,
  callOptions,
  defineVmOperation,
  type EnsuredVm,
  HOST_CALL_MS,
  intentOf,
  MINUTE_MS,
  specOf,
  type VmServices,
  VmTarget,
} from './vm-operation.js';

/** The target is the VM as it is to be on its new host. */
export const MoveVmInput = VmTarget.extend({
  fromHostId: z.uuid(),
  images: z.array(NeededImage),
  volumes: z.array(z.object({ volumeId: z.uuid(), sizeBytes: z.int(), imageSha256: z.string().nullable() })),
});
export type MoveVmInput = z.infer<typeof MoveVmInput>;

/** 12 hours carry 4 TB at 100 MB/s. */
const DEADLINE_MS = 12 * 60 * MINUTE_MS;
/** Several times within the life of an offer. */
const RENEWAL_MS = MINUTE_MS;

type Context = StepContext<MoveVmInput, unknown, VmServices>;

/** Lets the target copy the VM for a few minutes more. From the first time on it does not start where it is. */
async function offer(context: Context): Promise<void> {
  const { services, input } = context;
  const source = await agentOf(services, input.fromHostId);
  const permission = await permissionOf(services.database, input.hostId);
  await source.offerVm(intentOf(context, input), permission, callOptions(context, HOST_CALL_MS));
}

async function copy(context: Context): Promise<EnsuredVm> {
  const { services, input } = context;
  const target = await agentOf(services, input.hostId);
  const source = await peerOf(services.database, input.fromHostId);
  await offer(context);
  // One that fails is made up for by the next; if all do, the copy stops and this step begins again.
  const renewals = setInterval(() => void offer(context).catch(() => undefined), RENEWAL_MS);
  try {
    const copied = { spec: await specOf(services, input), volumes: input.volumes, source };
    const { reportGeneration } = await target.receiveVm(intentOf(context, input), copied, {
      ...callOptions(context, DEADLINE_MS),
      onProgress: (progress) => context.reportProgress(progress),
    });
    return { reportGeneration };
  } finally {
    clearInterval(renewals);
  }
}

/** The VM's files go for good: the other copy must be there, of this move, and stand still. */
async function requireCopy({ services, input }: Context): Promise<void> {
  const vm = await (await agentOf(services, input.hostId)).observeVm(input.vmId);
  if (vm?.power === 'stopped' && vm.generation === input.generation) return;
  throw new DomainError(
    'host_fault',
    'the new host of the VM does not have it (any more); the former one still has it',
    {
      details: { hostId: input.hostId, fromHostId: input.fromHostId },
    },
  );
}

export const moveVmOperation = defineVmOperation({
  kind: 'vm.move',
  inputShape: MoveVmInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: 15 * MINUTE_MS,
})
  .step('ensure-images', {
    run: async (context) => {
      const { hostId, fromHostId, images } = context.input;
      await ensureImages(context, images, { hostId, first: fromHostId }, DEADLINE_MS);
    },
    undo: nothing("the host's cache of images is for all its VMs; the host makes room when it needs some"),
  })
  .step('offer', {
    run: offer,
    undo: async (context) => {
      const source = await agentOf(context.services, context.input.fromHostId);
      const options = callOptions(context, HOST_CALL_MS);
      await source.withdrawVmOffer(intentOf(context, context.input), options).catch((error: unknown) => {
        // It never had the VM: then it has offered nothing either.
        if (!(error instanceof DomainError && error.code === 'not_found')) throw error;
      });
    },
  })
  .step('copy', {
    run: copy,
    undo: async (context) => {
      const target = await agentOf(context.services, context.input.hostId);
      await target.removeVm(intentOf(context, context.input), callOptions(context, HOST_CALL_MS));
    },
  })
  .step('hand-over', {
    run: async (context) => {
      await requireCopy(context);
      const source = await agentOf(context.services, context.input.fromHostId);
      await source.removeVm(intentOf(context, context.input), callOptions(context, HOST_CALL_MS));
    },
    undo: irreversible('the former host has given the VM up: it starts there no more, and its files go'),
  })
  .settle({
    done: async (tx, { operationId, input, outputs }) => {
      await writeMovedVm(tx, input.vmId, input.hostId);
      const ensured = outputs.copy;
      await settleVm(tx, operationId, input, { result: 'done', failure: null, isOutcomeKnown: true, ensured });
    },
    unwound: async (tx, { operationId, input, error }) => {
      await release(tx, input.vmId, 'move');
      await settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false });
    },
  });
