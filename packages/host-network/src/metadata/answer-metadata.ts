/** What a guest may know of itself. */
export interface Instance {
  readonly instanceId: string;
  readonly hostname: string;
  readonly sshAuthorizedKeys: readonly string[];
  /** Null: it has none. */
  readonly userData: string | null;
  /** Of the card through which it asks. */
  readonly macAddress: string;
  readonly address: string;
}

const ROOT = '/latest/';

/** The body for a path, as EC2 has them (`/latest/meta-data/…`, `/latest/user-data`); null: there is no such thing. Pure. */
export function answerMetadata(path: string, instance: Instance): string | null {
  if (!path.startsWith(ROOT)) return null;
  const name = path.slice(ROOT.length);
  const leaves = leavesOf(instance);
  const leaf = leaves.get(name);
  if (leaf !== undefined) return leaf;
  const folder = name === '' || name.endsWith('/') ? name : `${name}/`;
  const entries = [...leaves.keys()].filter((key) => key.startsWith(folder)).map((key) => entryOf(key, folder));
  return entries.length === 0 ? null : [...new Set(entries)].join('\n');
}

function leavesOf(instance: Instance): Map<string, string> {
  const { instanceId, hostname, sshAuthorizedKeys, userData, macAddress, address } = instance;
  return new Map([
    ['meta-data/hostname', hostname],
    ['meta-data/instance-id', instanceId],
    ['meta-data/local-hostname', hostname],
    ['meta-data/local-ipv4', address],
    ['meta-data/mac', macAddress],
    ...sshAuthorizedKeys.map((key, index): [string, string] => [`${KEYS}${index}/openssh-key`, key]),
    ...(userData === null ? [] : [['user-data', userData] satisfies [string, string]]),
  ]);
}

const KEYS = 'meta-data/public-keys/';

/** Keys are listed with names, as EC2 does; ours have none. */
function entryOf(key: string, folder: string): string {
  const [first = '', ...rest] = key.slice(folder.length).split('/');
  if (folder === KEYS) return `${first}=key-${first}`;
  return rest.length === 0 ? first : `${first}/`;
}
