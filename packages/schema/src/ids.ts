import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';

/**
 * Identifiers are UUIDs of version 7 (RFC 9562): sortable by time of making, so that lists page by id alone.
 * Each resource has its own brand: a HostId does not fit where a VmId is due.
 */
const id = <Brand extends string>(brand: Brand) =>
  z
    .uuid({ error: `must be a ${brand}, a UUID` })
    .brand<Brand>()
    .meta({ description: `Id of a ${brand}` });

export const ProjectId = id('ProjectId');
export const HostId = id('HostId');
export const HostGroupId = id('HostGroupId');
export const FlavorId = id('FlavorId');
export const ImageId = id('ImageId');
export const VmId = id('VmId');
export const VmGroupId = id('VmGroupId');
export const VolumeId = id('VolumeId');
export const StoragePoolId = id('StoragePoolId');
export const VolumeSnapshotId = id('VolumeSnapshotId');
export const NicId = id('NicId');
export const OperationId = id('OperationId');
export const TokenId = id('TokenId');
export const EnrolmentId = id('EnrolmentId');
export const PlacementId = id('PlacementId');
export const NetworkId = id('NetworkId');
export const PortId = id('PortId');
export const SecurityGroupId = id('SecurityGroupId');
export const LeftoverId = id('LeftoverId');
export const VmTemplateId = id('VmTemplateId');
export const FloatingRangeId = id('FloatingRangeId');
export const FloatingAddressId = id('FloatingAddressId');

export type ProjectId = z.infer<typeof ProjectId>;
export type HostId = z.infer<typeof HostId>;
export type HostGroupId = z.infer<typeof HostGroupId>;
export type FlavorId = z.infer<typeof FlavorId>;
export type ImageId = z.infer<typeof ImageId>;
export type VmId = z.infer<typeof VmId>;
export type VmGroupId = z.infer<typeof VmGroupId>;
export type VolumeId = z.infer<typeof VolumeId>;
export type StoragePoolId = z.infer<typeof StoragePoolId>;
export type VolumeSnapshotId = z.infer<typeof VolumeSnapshotId>;
export type NicId = z.infer<typeof NicId>;
export type OperationId = z.infer<typeof OperationId>;
export type TokenId = z.infer<typeof TokenId>;
export type EnrolmentId = z.infer<typeof EnrolmentId>;
export type PlacementId = z.infer<typeof PlacementId>;
export type NetworkId = z.infer<typeof NetworkId>;
export type PortId = z.infer<typeof PortId>;
export type SecurityGroupId = z.infer<typeof SecurityGroupId>;
export type LeftoverId = z.infer<typeof LeftoverId>;
export type VmTemplateId = z.infer<typeof VmTemplateId>;
export type FloatingRangeId = z.infer<typeof FloatingRangeId>;
export type FloatingAddressId = z.infer<typeof FloatingAddressId>;

/** A fresh id of the kind asked for: `newId<VmId>()`. */
export const newId = <Id extends string>(): Id => uuidv7() as Id;
