import type { components, paths } from './generated/api.js';

type Shapes = components['schemas'];
type QueryOf<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query?: infer Query } } }
  ? NonNullable<Query>
  : never;
type BodyOf<Path extends keyof paths, Method extends 'post' | 'patch'> = paths[Path] extends {
  [M in Method]: { requestBody?: { content: { 'application/json': infer Body } } };
}
  ? Body
  : never;
type AnswerOf<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { 'application/json': infer Body } } } };
}
  ? Body
  : never;

export type Vm = AnswerOf<'/v1/vms/{vmId}'>;
export type Host = AnswerOf<'/v1/hosts/{hostId}'>;
export type HostGroup = AnswerOf<'/v1/host-groups/{hostGroupId}'>;
export type HostGroupBaseline = AnswerOf<'/v1/host-groups/{hostGroupId}/cpu-baseline'>;
export type BaselinePreview = Shapes['BaselinePreview'];
export type Flavor = AnswerOf<'/v1/flavors/{flavorId}'>;
export type Image = AnswerOf<'/v1/images/{imageId}'>;
export type ImageParts = AnswerOf<'/v1/images/{imageId}/parts'>;
export type Network = AnswerOf<'/v1/networks/{networkId}'>;
export type Port = AnswerOf<'/v1/ports/{portId}'>;
export type FloatingAddress = AnswerOf<'/v1/floating-addresses/{addressId}'>;
export type FloatingRange = AnswerOf<'/v1/floating-ranges/{rangeId}'>;
export type StoragePool = AnswerOf<'/v1/storage-pools/{poolId}'>;
export type Leftover = Shapes['Leftover'];
export type HostSweep = Shapes['HostSweep'];
export type Volume = AnswerOf<'/v1/volumes/{volumeId}'>;
export type VolumeSnapshot = AnswerOf<'/v1/volume-snapshots/{snapshotId}'>;
export type VolumePlan = Shapes['VolumePlan'];
export type VmTemplate = AnswerOf<'/v1/vm-templates/{templateId}'>;
export type VmTemplatePlan = Shapes['VmTemplatePlan'];
export type SecurityGroup = AnswerOf<'/v1/security-groups/{securityGroupId}'>;
export type VmGroup = Shapes['VmGroup'];
export type VmGroupDetails = AnswerOf<'/v1/vm-groups/{vmGroupId}'>;
export type Operation = AnswerOf<'/v1/operations/{operationId}'>;
export type Placement = AnswerOf<'/v1/placements/{placementId}'>;
export type PlacementDecision = Placement['decision'];
export type PlacementReplay = Shapes['PlacementReplay'];
export type SimulatedPlacement = Shapes['SimulatedPlacement'];
export type SimulatedFailure = Shapes['SimulatedFailure'];
export type Capacity = AnswerOf<'/v1/capacity'>;
export type WaitingVm = AnswerOf<'/v1/placement-queue'>['items'][number];
export type DrainPlan = Shapes['DrainPlan'];
export type RebalancePlan = Shapes['RebalancePlan'];
export type Project = AnswerOf<'/v1/projects/{projectId}'>;
export type Token = AnswerOf<'/v1/tokens'>['items'][number];
export type OwnToken = AnswerOf<'/v1/tokens/self'>;
export type ConsoleLog = AnswerOf<'/v1/vms/{vmId}/console'>;
export type ConsoleKind = Shapes['ConsoleKind'];
export type IssuedConsoleToken = Shapes['IssuedConsoleToken'];
export type GuestCommandResult = Shapes['GuestCommandResult'];
export type AcceptedOperation = Shapes['AcceptedOperation'];
export type VmMovePlan = Shapes['VmMovePlan'];
export type VmPublishPlan = Shapes['VmPublishPlan'];
export type VmUpdatePlan = Shapes['VmUpdatePlan'];
export type VmFieldChange = Shapes['VmFieldChange'];
export type Progress = NonNullable<Operation['progress']>;

export type CreateVmBody = BodyOf<'/v1/vms', 'post'>;
export type UpdateVmBody = BodyOf<'/v1/vms/{vmId}', 'patch'>;
export type PublishVmBody = BodyOf<'/v1/vms/{vmId}/publish', 'post'>;
export type MoveVmBody = BodyOf<'/v1/vms/{vmId}/move', 'post'>;
export type RunGuestCommandBody = BodyOf<'/v1/vms/{vmId}/exec', 'post'>;
export type CreateHostGroupBody = BodyOf<'/v1/host-groups', 'post'>;
export type UpdateHostGroupBody = BodyOf<'/v1/host-groups/{hostGroupId}', 'patch'>;
export type PreviewBaselineBody = BodyOf<'/v1/host-groups/{hostGroupId}/cpu-baseline/preview', 'post'>;
export type CreateFlavorBody = BodyOf<'/v1/flavors', 'post'>;
export type CreateImageBody = BodyOf<'/v1/images', 'post'>;
export type DownloadImageBody = BodyOf<'/v1/images/download', 'post'>;
export type ImportImageBody = BodyOf<'/v1/images/import', 'post'>;
export type CreateNetworkBody = BodyOf<'/v1/networks', 'post'>;
export type UpdateNetworkBody = BodyOf<'/v1/networks/{networkId}', 'patch'>;
export type CreatePortBody = BodyOf<'/v1/networks/{networkId}/ports', 'post'>;
export type UpdatePortBody = BodyOf<'/v1/ports/{portId}', 'patch'>;
export type CreateFloatingAddressBody = BodyOf<'/v1/floating-addresses', 'post'>;
export type UpdateFloatingAddressBody = BodyOf<'/v1/floating-addresses/{addressId}', 'patch'>;
export type CreateFloatingRangeBody = BodyOf<'/v1/floating-ranges', 'post'>;
export type CreateSecurityGroupBody = BodyOf<'/v1/security-groups', 'post'>;
export type UpdateSecurityGroupBody = BodyOf<'/v1/security-groups/{securityGroupId}', 'patch'>;
export type CreateVmGroupBody = BodyOf<'/v1/vm-groups', 'post'>;
export type UpdateVmGroupBody = BodyOf<'/v1/vm-groups/{vmGroupId}', 'patch'>;
export type CreateEnrolmentBody = BodyOf<'/v1/host-enrolments', 'post'>;
export type CreateProjectBody = BodyOf<'/v1/projects', 'post'>;
export type QuotaBody = BodyOf<'/v1/projects/{projectId}/quota', 'patch'>;
export type CreateTokenBody = BodyOf<'/v1/tokens', 'post'>;

export type SimulatePlacementBody = BodyOf<'/v1/placements/simulate', 'post'>;
export type SimulateFailureBody = BodyOf<'/v1/placements/simulate-failure', 'post'>;
export type DrainPlanBody = BodyOf<'/v1/hosts/{hostId}/drain/plan', 'post'>;
export type RebalancePlanBody = BodyOf<'/v1/rebalance/plan', 'post'>;

export type CapacityQuery = QueryOf<'/v1/capacity'>;
export type VmsQuery = QueryOf<'/v1/vms'>;
export type HostsQuery = QueryOf<'/v1/hosts'>;
export type HostGroupsQuery = QueryOf<'/v1/host-groups'>;
export type FlavorsQuery = QueryOf<'/v1/flavors'>;
export type ImagesQuery = QueryOf<'/v1/images'>;
export type NetworksQuery = QueryOf<'/v1/networks'>;
export type PortsQuery = QueryOf<'/v1/networks/{networkId}/ports'>;
export type FloatingAddressesQuery = QueryOf<'/v1/floating-addresses'>;
export type FloatingRangesQuery = QueryOf<'/v1/floating-ranges'>;
export type SecurityGroupsQuery = QueryOf<'/v1/security-groups'>;
export type VmGroupsQuery = QueryOf<'/v1/vm-groups'>;
export type OperationsQuery = QueryOf<'/v1/operations'>;
export type PlacementQueueQuery = QueryOf<'/v1/placement-queue'>;
export type PlacementsQuery = QueryOf<'/v1/placements'>;
export type ProjectsQuery = QueryOf<'/v1/projects'>;
export type TokensQuery = QueryOf<'/v1/tokens'>;

/** One entry of the event stream. The document describes the stream as text, so its shape is written down here. */
export interface KvorumEvent {
  readonly id: string;
  readonly type: string;
  readonly projectId: string | null;
  readonly resourceKind: string;
  readonly resourceId: string;
  readonly at: string;
  readonly data: Readonly<Record<string, unknown>>;
}
export type UpdateStoragePoolBody = BodyOf<'/v1/storage-pools/{poolId}', 'patch'>;
export type LeftoversQuery = QueryOf<'/v1/leftovers'>;
export type StoragePoolsQuery = QueryOf<'/v1/storage-pools'>;
export type CreateVolumeBody = BodyOf<'/v1/volumes', 'post'>;
export type VolumesQuery = QueryOf<'/v1/volumes'>;
export type CreateVolumeSnapshotsBody = BodyOf<'/v1/volume-snapshots', 'post'>;
export type VolumeSnapshotsQuery = QueryOf<'/v1/volume-snapshots'>;
export type FreezeTemplateBody = BodyOf<'/v1/vms/{vmId}/freeze-template', 'post'>;
export type VmTemplatesQuery = QueryOf<'/v1/vm-templates'>;
