import { replaceFile } from '@kvorum/host-storage';
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, HostId, ResourceName } from '@kvorum/schema';
import { X509Certificate } from '@peculiar/x509';
import { z } from 'zod';
import { HostPortText } from '../config.js';
import { hostSpiffeId, spiffeIdOf } from '../trust/spiffe.js';
import { isPublicKeyOf } from './host-key.js';

/** A PEM certificate is about 1 KiB. */
const PEM_LENGTH_MAX = 16_384;
const Pem = z.string().min(1).max(PEM_LENGTH_MAX);

export const IdentityFile = z.strictObject({
  hostId: HostId,
  siteId: z.uuid(),
  name: ResourceName,
  certificatePem: Pem,
  caCertificatePem: Pem,
  gatewayAddress: HostPortText,
});

/** Who this host is in its site. */
export type Identity = z.infer<typeof IdentityFile> & { readonly keyPem: string };

/** The saved identity, or null before the first enrolment. Throws `host_fault` if it is there but cannot be used. */
export async function loadIdentity(folder: string): Promise<Identity | null> {
  let text: string;
  try {
    text = await readFile(join(folder, 'identity.json'), 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new DomainError('host_fault', `the identity in ${folder} cannot be read`, { cause: thrown });
  }
  try {
    const file = IdentityFile.parse(JSON.parse(text));
    return { ...file, keyPem: await readFile(join(folder, 'key.pem'), 'utf8') };
  } catch (cause) {
    throw new DomainError('host_fault', `the identity in ${folder} is damaged; enrol the host anew`, { cause });
  }
}

/** One file, one rename: there is an identity as a whole or none. The request is not needed any more. */
export async function saveIdentity(folder: string, identity: Identity): Promise<void> {
  const { keyPem: _stays, ...file } = identity;
  await replaceFile(join(folder, 'identity.json'), `${JSON.stringify(file, null, 2)}\n`);
  await rm(join(folder, 'request.csr'), { force: true });
}

/**
 * Is what the control plane answered really ours? Throws `host_not_trusted` if the certificate is for another key or
 * name, is not signed by the pinned CA, or comes with another CA.
 */
export async function checkIdentity(identity: Identity, caFingerprintSha256: string): Promise<void> {
  const complaint = await complaintAbout(identity, caFingerprintSha256).catch(() => 'it cannot be read');
  if (complaint !== null) {
    throw new DomainError('host_not_trusted', `the certificate from the control plane is refused: ${complaint}`);
  }
}

async function complaintAbout(identity: Identity, caFingerprintSha256: string): Promise<string | null> {
  const ca = new X509Certificate(identity.caCertificatePem);
  if (createHash('sha256').update(Buffer.from(ca.rawData)).digest('hex') !== caFingerprintSha256) {
    return 'it comes with a CA other than that of the join token';
  }
  const certificate = new X509Certificate(identity.certificatePem);
  if (!isPublicKeyOf(certificate.publicKey.rawData, identity.keyPem)) return 'it is for another key';
  if (!(await certificate.verify({ publicKey: ca.publicKey }))) return 'the CA of the site has not signed it';
  if (spiffeIdOf(new Uint8Array(certificate.rawData)) !== hostSpiffeId(identity.siteId, identity.hostId)) {
    return 'it does not name this host';
  }
  return null;
}
