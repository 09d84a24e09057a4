import 'reflect-metadata';
import { DomainError, KIB } from '@kvorum/schema';
import { Pkcs10CertificateRequest, type PublicKey } from '@peculiar/x509';

/** A request with a P-256 key has about 400 bytes; far above it there is nothing honest. */
const CSR_BYTES_MAX = 8 * KIB;
const PEM_FORM = /^\s*-----BEGIN CERTIFICATE REQUEST-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE REQUEST-----\s*$/;

/**
 * The public key of a host's PKCS#10 request (RFC 2986). Nothing else of it is used: names and extensions the host asks
 * for are ignored. Throws invalid_request unless it is one well-formed request for an ECDSA P-256 key, signed with it.
 */
export async function publicKeyOfRequest(csrPem: string): Promise<PublicKey> {
  if (Buffer.byteLength(csrPem) > CSR_BYTES_MAX) throw invalid(`is larger than ${CSR_BYTES_MAX} bytes`);
  if (!PEM_FORM.test(csrPem)) throw invalid('must be one PEM block CERTIFICATE REQUEST');
  const request = parse(csrPem);
  const { name, namedCurve } = request.publicKey.algorithm as { name: string; namedCurve?: string };
  if (name !== 'ECDSA' || namedCurve !== 'P-256') throw invalid('must be for an ECDSA key on P-256');
  if (!(await isSignedWithItsKey(request))) throw invalid('is not signed with the key it asks for');
  return request.publicKey;
}

function parse(csrPem: string): Pkcs10CertificateRequest {
  try {
    return new Pkcs10CertificateRequest(csrPem);
  } catch (error) {
    throw invalid('cannot be read as PKCS#10', error);
  }
}

async function isSignedWithItsKey(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    return false;
  }
}

const invalid = (message: string, cause?: unknown): DomainError =>
  new DomainError('invalid_request', `the certificate request ${message}`, {
    details: { fields: [{ field: 'csrPem', message }] },
    cause,
  });
