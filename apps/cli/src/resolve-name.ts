import { type KvorumClient, KvorumError, paginate } from '@kvorum/client';
import { usageError } from './usage-error.js';

interface Named {
  readonly id: string;
  readonly name: string;
  readonly state?: string;
}
interface PageOfNamed {
  readonly items: readonly Named[];
  readonly nextCursor: string | null;
}

/** RFC 9562 section 4, of any version. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Names that are not of one project. */
const WHERE_ELSE: Readonly<Record<string, string>> = {
  'storage-pool': 'They are of different hosts (kvorum storage-pool list); give an id.',
};

/** Ids are taken as they are; a name is looked up among what the token may see. */
async function resolve(
  kind: string,
  nameOrId: string,
  list: (name: string) => Promise<readonly Named[]>,
): Promise<string> {
  if (UUID.test(nameOrId)) return nameOrId;
  const found = await list(nameOrId);
  // A name is free again once its object is deleted.
  const living = found.filter(({ state }) => state !== 'deleted');
  const [first, ...others] = living;
  if (first === undefined) {
    throw new KvorumError({
      code: 'not_found',
      status: null,
      detail: `there is no ${kind} called "${nameOrId}"`,
      remedy: `Look it up with: kvorum ${kind} list`,
    });
  }
  if (others.length > 0) {
    const ids = living.map(({ id }) => id).join(', ');
    throw usageError(
      `several ${kind}s are called "${nameOrId}": ${ids}`,
      WHERE_ELSE[kind] ?? 'They are of different projects; give an id.',
    );
  }
  return first.id;
}

const itemsOf = async (page: Promise<PageOfNamed>): Promise<readonly Named[]> => (await page).items;

export const resolveVm = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('vm', nameOrId, (name) => itemsOf(client.vms.list({ name })));
export const resolveHost = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('host', nameOrId, (name) => itemsOf(client.hosts.list({ name })));
export const resolveHostGroup = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('host-group', nameOrId, (name) => itemsOf(client.hostGroups.list({ name })));
export const resolveFlavor = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('flavor', nameOrId, (name) => itemsOf(client.flavors.list({ name })));
export const resolveImage = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('image', nameOrId, (name) => itemsOf(client.images.list({ name })));
export const resolveProject = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('project', nameOrId, (name) => itemsOf(client.projects.list({ name })));

export const resolveNetwork = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('network', nameOrId, (name) => itemsOf(client.networks.list({ name })));
export const resolveSecurityGroup = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('security-group', nameOrId, (name) => itemsOf(client.securityGroups.list({ name })));
export const resolveFloatingRange = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('floating-range', nameOrId, (name) => itemsOf(client.floatingRanges.list({ name })));
/** They have no names: what they are is one. */
export const resolveFloatingAddress = (client: KvorumClient, addressOrId: string): Promise<string> =>
  resolve('floating-address', addressOrId, async (address) => {
    const { items } = await client.floatingAddresses.list({ address });
    return items.map(({ id }) => ({ id, name: address }));
  });
export const resolveVmGroup = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('vm-group', nameOrId, (name) => itemsOf(client.vmGroups.list({ name })));
export const resolveVmTemplate = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('vm-template', nameOrId, (name) => itemsOf(client.vmTemplates.list({ name })));

export const resolveStoragePool = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('storage-pool', nameOrId, (name) => itemsOf(client.storagePools.list({ name })));
export const resolveVolume = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('volume', nameOrId, async (name) => {
    const { items } = await client.volumes.list({ name });
    return items.filter(({ state }) => state !== 'retained');
  });

/** Names of snapshots are of their volumes: VOLUME/SNAPSHOT. */
export async function resolveSnapshot(
  client: KvorumClient,
  nameOrId: string,
): Promise<{ readonly id: string; readonly projectId: string }> {
  if (UUID.test(nameOrId)) return client.volumeSnapshots.get(nameOrId);
  const [volume = '', snapshot, ...rest] = nameOrId.split('/');
  if (snapshot === undefined || rest.length > 0) {
    throw usageError(`"${nameOrId}" names no snapshot`, "Give a snapshot's id, or VOLUME/SNAPSHOT with both names.");
  }
  const volumeId = await resolveVolume(client, volume);
  const id = await resolve('snapshot', snapshot, (name) => itemsOf(client.volumeSnapshots.list({ volumeId, name })));
  return client.volumeSnapshots.get(id);
}

/** Names of ports are of their networks: NETWORK/PORT. */
export async function resolvePort(client: KvorumClient, nameOrId: string): Promise<string> {
  const [network = '', port, ...rest] = nameOrId.split('/');
  if (port === undefined && UUID.test(nameOrId)) return nameOrId;
  if (port === undefined || rest.length > 0) {
    throw usageError(`"${nameOrId}" names no port`, "Give a port's id, or NETWORK/PORT with both names.");
  }
  const networkId = await resolveNetwork(client, network);
  return resolve('port', port, async (name) => {
    const { items } = await client.ports.list(networkId, { name });
    return items.map(({ id }) => ({ id, name }));
  });
}

/** The API does not look tokens up by name: there are few of them. */
export const resolveToken = (client: KvorumClient, nameOrId: string): Promise<string> =>
  resolve('token', nameOrId, async (name) => {
    const found: Named[] = [];
    for await (const token of paginate((cursor) => client.tokens.list(cursor === undefined ? {} : { cursor }))) {
      if (token.name === name && token.revokedAt === null) found.push({ id: token.id, name });
    }
    return found;
  });

/** `resolve` of an option that may not have been given. */
export const resolveOptional = async (
  resolveOne: (client: KvorumClient, nameOrId: string) => Promise<string>,
  client: KvorumClient,
  nameOrId: string | undefined,
): Promise<string | undefined> => (nameOrId === undefined ? undefined : resolveOne(client, nameOrId));
