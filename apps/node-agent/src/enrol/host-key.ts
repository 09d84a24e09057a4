import { replaceFile } from '@kvorum/host-storage';
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  cryptoProvider,
  PemConverter,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
} from '@peculiar/x509';

type CryptoKey = webcrypto.CryptoKey;
const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
cryptoProvider.set(webcrypto);

export interface HostKey {
  readonly keyPem: string;
  readonly csrPem: string;
}

/**
 * The host's own key and the request to certify it. Both are on the disk before anything is asked of the control plane:
 * a join token works once, but redeeming it again with the very same request yields the same certificate, so that a
 * crash between redeeming and saving loses nothing. The key never leaves this host.
 */
export async function ensureHostKey(folder: string, hostName: string): Promise<HostKey> {
  const keyPath = join(folder, 'key.pem');
  const csrPath = join(folder, 'request.csr');
  let keyPem = await readIfThere(keyPath);
  if (keyPem === null) {
    keyPem = await makeKey();
    await replaceFile(keyPath, keyPem);
  }
  let csrPem = await readIfThere(csrPath);
  if (csrPem === null || !isRequestOf(csrPem, keyPem, hostName)) {
    csrPem = await makeRequest(keyPem, hostName);
    await replaceFile(csrPath, csrPem);
  }
  return { keyPem, csrPem };
}

/** Does this certificate or request (SubjectPublicKeyInfo, DER) belong to the key? */
export function isPublicKeyOf(spki: ArrayBuffer, keyPem: string): boolean {
  return publicKeyOf(keyPem).equals(Buffer.from(spki));
}

async function makeKey(): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
}

async function makeRequest(keyPem: string, hostName: string): Promise<string> {
  const importKey = (format: 'pkcs8' | 'spki', der: Uint8Array, use: 'sign' | 'verify'): Promise<CryptoKey> =>
    webcrypto.subtle.importKey(format, der, ECDSA_P256, true, [use]);
  const pkcs8 = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${hostName}`,
    keys: {
      privateKey: await importKey('pkcs8', pkcs8, 'sign'),
      publicKey: await importKey('spki', publicKeyOf(keyPem), 'verify'),
    },
    signingAlgorithm: ECDSA_P256,
  });
  return request.toString('pem');
}

function isRequestOf(csrPem: string, keyPem: string, hostName: string): boolean {
  try {
    const request = new Pkcs10CertificateRequest(csrPem);
    return request.subject === `CN=${hostName}` && isPublicKeyOf(request.publicKey.rawData, keyPem);
  } catch {
    return false;
  }
}

function publicKeyOf(keyPem: string): Buffer {
  return createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
}
