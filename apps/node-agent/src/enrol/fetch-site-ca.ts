import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { DomainError } from '@kvorum/schema';
import { BasicConstraintsExtension, X509Certificate } from '@peculiar/x509';
import type { HostPort } from '../config.js';
import { CONTROL_PLANE_NAME } from '../trust/site-channel.js';

const CONNECT_TIMEOUT_MS = 10_000;
/** Leaf, at most two intermediates, root. */
const CHAIN_LENGTH_MAX = 4;

/**
 * Asks the enrolment port for its certificate chain and returns the CA certificate (PEM) with the pinned fingerprint.
 * Nothing is sent over this connection and nothing else of it is believed, so that it need not be verified: the pin
 * came to us with the join token, and the connection that carries the secret is verified against the certificate
 * found here. Throws `host_not_trusted` if the pin does not match, `host_unreachable` if nobody answers.
 */
export async function fetchSiteCa(address: HostPort, fingerprintSha256: string): Promise<string> {
  const chain = await fetchChain(address);
  const pinned = chain.find((der) => createHash('sha256').update(der).digest('hex') === fingerprintSha256);
  if (pinned === undefined) {
    throw new DomainError(
      'host_not_trusted',
      'the enrolment port does not belong to the site of the join token: its CA has another fingerprint',
    );
  }
  const certificate = new X509Certificate(new Uint8Array(pinned));
  if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true) {
    throw new DomainError('host_not_trusted', 'the certificate with the pinned fingerprint is not a CA');
  }
  return certificate.toString('pem');
}

async function fetchChain(address: HostPort): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address.host,
      port: address.port,
      servername: CONTROL_PLANE_NAME,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
      timeout: CONNECT_TIMEOUT_MS,
    });
    const fail = (cause?: Error) => {
      socket.destroy();
      reject(new DomainError('host_unreachable', `no TLS answer from ${address.host}:${address.port}`, { cause }));
    };
    socket.once('error', fail);
    socket.once('timeout', () => fail());
    socket.once('secureConnect', () => {
      const chain = chainOf(socket);
      socket.destroy();
      resolve(chain);
    });
  });
}

function chainOf(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined && chain.length < CHAIN_LENGTH_MAX) {
    chain.push(certificate.raw);
    // A self-signed root names itself as its issuer.
    certificate = certificate.issuerCertificate === certificate ? undefined : certificate.issuerCertificate;
  }
  return chain;
}
