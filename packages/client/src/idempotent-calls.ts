import type { paths } from './generated/api.js';

type HeaderOf<Call> = Call extends { parameters: { header?: infer Header } } ? NonNullable<Header> : never;
type HonoursKey<Call> = [HeaderOf<Call>] extends [never]
  ? false
  : 'idempotency-key' extends keyof HeaderOf<Call>
    ? true
    : false;
type PathsHonouringKey<Method extends 'post' | 'patch'> = {
  [Path in keyof paths]: HonoursKey<paths[Path][Method]> extends true ? Path : never;
}[keyof paths];

/**
 * The calls that may be sent twice with one Idempotency-Key without doing their work twice. The type is computed from the
 * OpenAPI document: a route that is missing here, or should not be here, does not compile.
 */
const POSTS_HONOURING_KEY: Readonly<Record<PathsHonouringKey<'post'>, true>> = {
  '/v1/floating-addresses': true,
  '/v1/floating-ranges': true,
  '/v1/hosts/{hostId}/drain': true,
  '/v1/images': true,
  '/v1/images/import': true,
  '/v1/networks': true,
  '/v1/networks/{networkId}/ports': true,
  '/v1/rebalance': true,
  '/v1/security-groups': true,
  '/v1/images/download': true,
  '/v1/vm-groups': true,
  '/v1/volume-snapshots': true,
  '/v1/volume-snapshots/{snapshotId}/revert': true,
  '/v1/volumes': true,
  '/v1/volumes/{volumeId}/attach': true,
  '/v1/volumes/{volumeId}/detach': true,
  '/v1/volumes/{volumeId}/purge': true,
  '/v1/volumes/{volumeId}/restore': true,
  '/v1/vms': true,
  '/v1/vms/{vmId}/freeze-template': true,
  '/v1/vms/{vmId}/move': true,
  '/v1/vms/{vmId}/publish': true,
  '/v1/vms/{vmId}/pause': true,
  '/v1/vms/{vmId}/reboot': true,
  '/v1/vms/{vmId}/reset': true,
  '/v1/vms/{vmId}/resume': true,
  '/v1/vms/{vmId}/start': true,
  '/v1/vms/{vmId}/stop': true,
};

const PATCHES_HONOURING_KEY: Readonly<Record<PathsHonouringKey<'patch'>, true>> = {
  '/v1/vms/{vmId}': true,
  '/v1/volumes/{volumeId}': true,
};

/** `path` is the template of the document, such as `/v1/vms/{vmId}`. */
export const honoursIdempotencyKey = (method: string, path: string): boolean =>
  (method === 'POST' && Object.hasOwn(POSTS_HONOURING_KEY, path)) ||
  (method === 'PATCH' && Object.hasOwn(PATCHES_HONOURING_KEY, path));
