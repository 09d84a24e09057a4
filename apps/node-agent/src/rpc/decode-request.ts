import {
  Accelerator,
  BalloonPolicy,
  CloudInit,
  CONSOLE_BACKLOG_BYTES_MAX,
  CONSOLE_READ_BYTES_MAX,
  DiskBytes,
  DomainError,
  FREEZE_MS_MAX,
  FREEZE_MS_MIN,
  GRACE_MS_MAX,
  GUEST_ARGUMENT_BYTES_MAX,
  GUEST_ARGUMENT_COUNT_MAX,
  GUEST_COMMAND_MS_MAX,
  GUEST_INPUT_BYTES_MAX,
  IMAGE_BYTES_MAX,
  ImageId,
  MEMORY_BYTES_MIN,
  MemoryBytes,
  OperationId,
  ResourceName,
  VcpuCount,
  VmHardware,
  VmId,
  VolumeId,
} from '@kvorum/schema';
import { ConsoleKind, PowerState, Accelerator as WireAccelerator } from '@kvorum/schema/agent-wire';
import { z } from 'zod';
import { HostPortText } from '../config.js';
import { PART_BYTES } from '../move/read-part.js';
import { VOLUMES_PER_VM_MAX } from '../vm/vm-actor-rules.js';
import { PooledVolume, Sha256 } from '../vm/vm-record.js';

/**
 * What the agent takes from the wire. protobuf lets everything through: absent fields are empty, enums any number, so
 * each request is checked as a whole before anything is done with it.
 */
const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
/** Ids become names of files: only the one spelling, or one VM could have two actors. */
const asSpelled = (id: string): boolean => id === id.toLowerCase();
const SPELLING = { error: 'must be in lower case' };
const WireVmId = VmId.refine(asSpelled, SPELLING);
const WireVolumeId = VolumeId.refine(asSpelled, SPELLING);
const WireImageId = ImageId.refine(asSpelled, SPELLING);
/** A control plane asks for the VMs of a page, not for more than a host has. */
const VM_IDS_MAX = 4_096;

const WireIntent = z.object({
  vmId: WireVmId,
  generation: Count,
  fencingToken: Count,
  epoch: Count,
  operationId: OperationId,
});

const TemplateIdOnWire = z.uuid().refine(asSpelled, SPELLING);

const AcceleratorByNumber: Readonly<Partial<Record<WireAccelerator, Accelerator>>> = {
  [WireAccelerator.ACCELERATOR_KVM]: 'kvm',
  [WireAccelerator.ACCELERATOR_TCG]: 'tcg',
};
/** protobuf has no null. */
const NoText = z.literal('').transform(() => null);
const isDiskOf = (id: string, rootVolumeId: string, { devices }: VmHardware): boolean =>
  id === rootVolumeId || devices.dataDisks.some((disk) => disk.id === id);
const WireSpec = z
  .object({
    name: ResourceName,
    vcpuCount: VcpuCount,
    memoryBytes: MemoryBytes,
    accelerator: z
      .number()
      .transform((number) => AcceleratorByNumber[number as WireAccelerator])
      .pipe(Accelerator),
    rootVolumeId: WireVolumeId,
    balloon: z.optional(BalloonPolicy).transform((policy) => policy ?? null),
    hardware: VmHardware.prefault({}),
    cloudInit: z
      .optional(CloudInit.extend({ userData: z.union([NoText, CloudInit.shape.userData]) }))
      .transform((told) => told ?? null),
    templateId: z.optional(TemplateIdOnWire).transform((templateId) => templateId ?? null),
    pooledVolumes: z.array(
      PooledVolume.extend({ volumeId: WireVolumeId, poolId: z.uuid().refine(asSpelled, SPELLING) }),
    ),
  })
  .refine(
    ({ pooledVolumes, rootVolumeId, hardware }) =>
      pooledVolumes.every(({ volumeId }) => isDiskOf(volumeId, rootVolumeId, hardware)) &&
      new Set(pooledVolumes.map(({ volumeId }) => volumeId)).size === pooledVolumes.length,
    { path: ['pooledVolumes'], error: 'must name disks of the VM, each once' },
  )
  .refine(
    ({ templateId, pooledVolumes, rootVolumeId }) =>
      templateId === null || !pooledVolumes.some(({ volumeId }) => volumeId === rootVolumeId),
    { path: ['templateId'], error: 'goes with a root disk that lies on no pool' },
  );

export const EnsureVm = z
  .object({
    intent: WireIntent,
    spec: WireSpec,
    power: z.literal([PowerState.POWER_STATE_RUNNING, PowerState.POWER_STATE_PAUSED, PowerState.POWER_STATE_STOPPED]),
    graceMs: z.int().min(0).max(GRACE_MS_MAX),
    reset: z.boolean(),
  })
  .refine(({ power, reset }) => !reset || power === PowerState.POWER_STATE_RUNNING, {
    path: ['reset'],
    error: 'goes with power RUNNING only',
  });

export const RemoveVm = z.object({ intent: WireIntent });
/** A host has one certificate, and a second one while it changes it. */
const FINGERPRINTS_MAX = 8;
const Fingerprints = z.array(Sha256).min(1).max(FINGERPRINTS_MAX);
/** Renewed while a copy goes on; what nobody renews runs out. */
const OFFER_MS_MAX = 600_000;
const Permission = z.object({
  targetHostId: z.uuid(),
  certificateFingerprints: Fingerprints,
  validForMs: z.int().min(1).max(OFFER_MS_MAX),
});
const WirePeer = z
  .object({ hostId: z.uuid(), address: HostPortText, certificateFingerprints: Fingerprints })
  .transform(({ certificateFingerprints: fingerprints, ...peer }) => ({ ...peer, fingerprints }));
export const PublishDisk = z.object({ intent: WireIntent, volumeId: VolumeId });
export const OfferVm = Permission.extend({ intent: WireIntent });
export const OfferImage = Permission.extend({ sha256: Sha256 });
/** As records keep it. */
export const offerOf = ({ targetHostId, certificateFingerprints, validForMs }: z.output<typeof Permission>) => ({
  targetHostId,
  fingerprints: certificateFingerprints,
  untilMs: Date.now() + validForMs,
});
export const WithdrawVmOffer = z.object({ intent: WireIntent });
/** An empty disk names no image: both fields are then empty. */
export const EnsureDisk = z
  .object({
    intent: WireIntent,
    volumeId: WireVolumeId,
    sizeBytes: DiskBytes,
    imageId: z.union([WireImageId, NoText]),
    imageSha256: z.union([Sha256, NoText]),
    templateId: z.optional(TemplateIdOnWire).transform((templateId) => templateId ?? null),
  })
  .refine(({ imageId, templateId }) => imageId === null || templateId === null, {
    path: ['templateId'],
    error: 'does not go with imageId',
  })
  .refine(({ imageId, imageSha256 }) => (imageId === null) === (imageSha256 === null), {
    path: ['imageSha256'],
    error: 'goes with imageId',
  });
export const ReceiveVm = z.object({
  intent: WireIntent,
  spec: WireSpec,
  volumes: z
    .array(z.object({ volumeId: WireVolumeId, sizeBytes: DiskBytes, imageSha256: z.union([Sha256, NoText]) }))
    .min(1)
    .max(VOLUMES_PER_VM_MAX),
  source: WirePeer,
});
export const DescribeOfferedVm = z.object({ vmId: WireVmId, operationId: OperationId });
export const ReadVmFile = z.object({
  vmId: WireVmId,
  operationId: OperationId,
  name: z.string().max(128),
  offset: Count,
  lengthBytes: z.int().min(1).max(PART_BYTES),
  haveSha256: z.union([Sha256, z.literal('')]),
});
export const ReadCachedImage = z.object({ sha256: Sha256 });
export const FreezeTemplate = z.object({ intent: WireIntent, templateId: TemplateIdOnWire, isLast: z.boolean() });
export const RemoveTemplate = z.object({ templateId: TemplateIdOnWire });
export const RemoveDisk = z.object({ intent: WireIntent, volumeId: WireVolumeId });
export const EnsureBalloon = z.object({
  intent: WireIntent,
  targetBytes: z.int().min(MEMORY_BYTES_MIN).max(Number.MAX_SAFE_INTEGER),
});
/** Each is tried for as long as it sends; the control plane comes last. */
const IMAGE_PEERS_MAX = 4;
export const EnsureImage = z.object({
  imageId: WireImageId,
  sha256: Sha256,
  sizeBytes: z.int().min(1).max(IMAGE_BYTES_MAX),
  peers: z.array(WirePeer).max(IMAGE_PEERS_MAX),
});
export const ObserveVms = z.object({ vmIds: z.array(WireVmId).max(VM_IDS_MAX) });
export const ReadConsole = z.object({
  vmId: WireVmId,
  offset: Count.optional(),
  maxBytes: z.int().min(1).max(CONSOLE_READ_BYTES_MAX),
});

export const ConsoleOpening = z.object({
  vmId: WireVmId,
  kind: z.literal([ConsoleKind.CONSOLE_KIND_SERIAL, ConsoleKind.CONSOLE_KIND_VNC]),
  backlogBytes: z.int().min(0).max(CONSOLE_BACKLOG_BYTES_MAX),
});
export const TakeScreenshot = z.object({ vmId: WireVmId });
/** What C programs take for an argument (execve(2)). */
const Argument = z.string().regex(/^[^\0]*$/, { error: 'must not hold NUL' });
export const RunGuestCommand = z
  .object({
    vmId: WireVmId,
    program: Argument.min(1),
    args: z.array(Argument).max(GUEST_ARGUMENT_COUNT_MAX),
    input: z.instanceof(Uint8Array).refine((input) => input.byteLength <= GUEST_INPUT_BYTES_MAX, {
      error: `must be ${GUEST_INPUT_BYTES_MAX} bytes at most`,
    }),
    timeoutMs: z.int().min(1).max(GUEST_COMMAND_MS_MAX),
  })
  .refine(({ program, args }) => Buffer.byteLength([program, ...args].join(' ')) <= GUEST_ARGUMENT_BYTES_MAX, {
    path: ['args'],
    error: `must be ${GUEST_ARGUMENT_BYTES_MAX} bytes at most in all`,
  });
export const FreezeGuest = z.object({ vmId: WireVmId, durationMs: z.int().min(FREEZE_MS_MIN).max(FREEZE_MS_MAX) });
export const ThawGuest = z.object({ vmId: WireVmId, freezeId: z.union([z.literal(''), z.uuid()]) });

/** Throws `invalid_request` that names each wrong field. */
export function decodeRequest<Shape extends z.ZodType>(shape: Shape, request: unknown): z.output<Shape> {
  const parsed = shape.safeParse(request);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message }));
  const first = fields[0];
  throw new DomainError('invalid_request', `${first?.field ?? 'request'}: ${first?.message ?? 'is malformed'}`, {
    details: { fields },
  });
}

export const SweepHost = z.object({ orphanAgeMs: Count, imageSha256s: z.array(Sha256) });
export const RemoveLeftover = z.object({ name: z.string().min(1) });
