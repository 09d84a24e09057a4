import { z } from 'zod';
import { SSH_KEY_COUNT_MAX, SSH_KEY_LENGTH_MAX, USER_DATA_BYTES_MAX } from '../limits.js';
import { ResourceName } from '../names.js';

/** Types of keys that OpenSSH 9 takes (ssh-keygen(1)); DSA is gone. */
const SSH_KEY_TYPES = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
];
const LENGTH_BYTES = 4;
/** Type, key, and a comment that is printable: the line goes into a file of lines. */
const KEY_LINE = /^(\S+) ([A-Za-z0-9+/]+={0,2})(?: \P{C}*)?$/u;

/** The key itself begins with its type as well (RFC 4253, 6.6): one that was cut or pasted together is found out. */
function isPublicKey(line: string): boolean {
  const [, type = '', encoded = ''] = KEY_LINE.exec(line) ?? [];
  if (!SSH_KEY_TYPES.includes(type)) return false;
  const blob = Buffer.from(encoded, 'base64');
  const start = LENGTH_BYTES + type.length;
  if (blob.length <= start + LENGTH_BYTES || blob.readUInt32BE(0) !== type.length) return false;
  if (blob.toString('latin1', LENGTH_BYTES, start) !== type) return false;
  let at = start;
  while (at + LENGTH_BYTES <= blob.length) at += LENGTH_BYTES + blob.readUInt32BE(at);
  return at === blob.length;
}

const SshPublicKey = z.string().max(SSH_KEY_LENGTH_MAX).refine(isPublicKey, {
  error: 'must be a public key as in a .pub file, such as "ssh-ed25519 AAAA… name": no options before it, one line',
});

const UserData = z
  .string()
  .min(1)
  .regex(/^[^\0]*$/, { error: 'must be text, without NUL' })
  .refine((text) => Buffer.byteLength(text) <= USER_DATA_BYTES_MAX, {
    error: `must be ${USER_DATA_BYTES_MAX} bytes at most; have the guest fetch the rest`,
  });

const SshAuthorizedKeys = z.array(SshPublicKey).max(SSH_KEY_COUNT_MAX);
const HOSTNAME = { description: "Default, and null: the VM's name" };
const USER_DATA = {
  description: 'Kept encrypted and never shown again. As cloud-init reads it: #cloud-config, a script, …',
};

/** With any of it, even none, the VM gets a seed disk for cloud-init (NoCloud), and answers at the metadata address. */
export const CloudInitRequest = z
  .strictObject({
    hostname: ResourceName.nullable().default(null).meta(HOSTNAME),
    sshAuthorizedKeys: SshAuthorizedKeys.default([]).meta({ description: "Of the image's default user" }),
    userData: UserData.nullable().default(null).meta(USER_DATA),
  })
  .meta({ id: 'CloudInitRequest' });
export type CloudInitRequest = z.infer<typeof CloudInitRequest>;

/** What is left out stays as it is. */
export const CloudInitChange = z
  .strictObject({
    hostname: ResourceName.nullable().optional().meta(HOSTNAME),
    sshAuthorizedKeys: SshAuthorizedKeys.optional(),
    userData: UserData.nullable()
      .optional()
      .meta({ description: `${USER_DATA.description}; null: none` }),
  })
  .meta({ id: 'CloudInitChange' });
export type CloudInitChange = z.infer<typeof CloudInitChange>;

/** What is shown of it. */
export const VmCloudInit = z
  .object({
    instanceId: z.uuid().meta({ description: 'By which cloud-init sees whether the guest is a new one' }),
    hostname: z.string(),
    sshAuthorizedKeys: z.array(z.string()),
    hasUserData: z.boolean(),
  })
  .meta({ id: 'VmCloudInit' });
export type VmCloudInit = z.infer<typeof VmCloudInit>;

/** What a host's agent is told of it: with the user data itself, which no other layer keeps in clear. */
export const CloudInit = z.strictObject({
  instanceId: z.uuid(),
  hostname: ResourceName,
  sshAuthorizedKeys: SshAuthorizedKeys,
  userData: UserData.nullable(),
});
export type CloudInit = z.infer<typeof CloudInit>;
