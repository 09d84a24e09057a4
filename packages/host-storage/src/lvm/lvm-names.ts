import { ImageName } from '../images/image-record.js';
import type { SnapshotName } from '../images/image-store.js';

/**
 * Names of logical volumes. Of an image `kvi.<volume>.<given id>.<nonce>`, of a snapshot of it `kvs.<nonce>.<volume>.<snapshot>`, ids
 * without hyphens: device-mapper doubles those, and takes 127 characters with the name of the volume group (DM_NAME_LEN, dm-ioctl.h).
 * What is set aside has a `q` more.
 */
const IMAGE = /^kvi\.([0-9a-f]{32})\.([0-9a-f]{32})\.([0-9a-f]{12})$/;
/** Of what is left for a group, as device-mapper spells it: 127, less the longest of ours and the hyphen between. */
export const GROUP_LENGTH_MAX = 42;

/** As lvm(8) takes names of groups and volumes, but for those that begin with a hyphen or are of its own. */
export const LVM_NAME = /^(?!(snapshot|pvmove))[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,60}$/;
export const isGroupName = (name: string): boolean =>
  LVM_NAME.test(name) && name.replaceAll('-', '--').length <= GROUP_LENGTH_MAX;

const bare = (id: string): string => id.replaceAll('-', '');
const asUuid = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');

/** Throws for what is not the name of an image of ours. */
export function volumeNameOf(image: string): string {
  return `kvi.${bare(ImageName.parse(image))}`;
}

/** Null: it is none of ours. */
export function imageOf(volumeName: string): string | null {
  const [, volumeId, givenId, nonce] = IMAGE.exec(volumeName) ?? [];
  if (volumeId === undefined || givenId === undefined) return null;
  return `${asUuid(volumeId)}.${asUuid(givenId)}.${nonce}`;
}

/** What names of all snapshots of an image begin with. */
export function snapshotPrefixOf(image: string): string {
  const [volumeId = '', , nonce] = ImageName.parse(image).split('.');
  return `kvs.${nonce}.${bare(volumeId)}.`;
}
export const snapshotVolumeNameOf = ({ image, snapshot }: SnapshotName): string =>
  `${snapshotPrefixOf(image)}${bare(snapshot)}`;
export const snapshotOf = (image: string, volumeName: string): string =>
  asUuid(volumeName.slice(snapshotPrefixOf(image).length));

/** Of an image or a snapshot of one that is set aside, and back. */
export const setAsideNameOf = (volumeName: string): string => volumeName.replace(/^(kv[is])\./, '$1q.');
export const formerNameOf = (volumeName: string): string => volumeName.replace(/^(kv[is])q\./, '$1.');
