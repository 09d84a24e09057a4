import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { cryptoProvider, PemConverter, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface HostKey {
  readonly csrPem: string;
  readonly keyPem: string;
}

/** A key and the request for its certificate, as a host makes them. */
export async function makeHostKey(algorithm: object = P256): Promise<HostKey> {
  cryptoProvider.set(webcrypto);
  const keys = (await webcrypto.subtle.generateKey(algorithm as typeof P256, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=control-plane',
    keys,
    signingAlgorithm: algorithm as typeof P256,
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { csrPem: csr.toString('pem'), keyPem: PemConverter.encode(key, 'PRIVATE KEY') };
}
