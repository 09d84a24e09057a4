import { createCipheriv, createDecipheriv, createHash, randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';

const KEY_FILE = 'secrets.key';
const KEY_BYTES = 32;
const KEY_MODE = 0o600;
/** NIST SP 800-38D, 8.2: 96 bits, random; with one key good for 2^32 texts. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 4;
const CIPHER = 'aes-256-gcm';

/** Keeps texts that the database must not have in clear. */
export interface SecretBox {
  /** `place`: where it will lie. A text that somebody has moved to another place does not open there. */
  seal(text: string, place: string): Buffer;
  /** Throws `conflict_state` for what was sealed with another key, was changed, or lay elsewhere. */
  open(sealed: Uint8Array, place: string): string;
}

/**
 * The box of this site, with its key in `<dataDir>/secrets.key`, which is made if it is missing. Of several processes that start
 * at once one makes it and the others read it. Whoever has a copy of the database alone has no secret.
 */
export async function openSecretBox(dataDir: string): Promise<SecretBox> {
  const file = join(dataDir, KEY_FILE);
  const key = (await readKey(file)) ?? (await makeKey(dataDir, file));
  const keyId = createHash('sha256').update(key).digest().subarray(0, KEY_ID_BYTES);
  return {
    seal: (text, place) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(place));
      return Buffer.concat([keyId, nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    },
    open: (sealed, place) => {
      const bytes = Buffer.from(sealed);
      if (bytes.length < KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES || !bytes.subarray(0, KEY_ID_BYTES).equals(keyId)) {
        throw new DomainError('conflict_state', `a secret was kept with another key; put the former ${KEY_FILE} back`);
      }
      const nonce = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(place))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const text = decipher.update(bytes.subarray(KEY_ID_BYTES + NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new DomainError('conflict_state', 'a secret was changed in the database; give it anew', { cause });
      }
    },
  };
}

async function readKey(file: string): Promise<Buffer | null> {
  const key = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (key === null || key.length === KEY_BYTES) return key;
  throw new DomainError('conflict_state', `${file} is not a key of ${KEY_BYTES} bytes; put the former one back`);
}

/** The file appears whole, by one link(2), which the second process is refused. */
async function makeKey(dataDir: string, file: string): Promise<Buffer> {
  await mkdir(dataDir, { recursive: true });
  const draft = `${file}.${randomUUID()}`;
  try {
    const handle = await open(draft, 'wx', KEY_MODE);
    try {
      await handle.writeFile(randomBytes(KEY_BYTES));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  const folder = await open(dataDir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  const key = await readKey(file);
  if (key === null) throw new TypeError(`${file} was made`);
  return key;
}
