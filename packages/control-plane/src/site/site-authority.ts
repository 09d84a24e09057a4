import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { DomainError } from '@kvorum/schema';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { publicKeyOfRequest } from './host-request.js';
import { type AuthorityFiles, loadOrCreateAuthority } from './site-authority-files.js';

/** The site's certificate authority: every host and the control plane itself are known by certificates of it. */
export interface SiteAuthority {
  readonly siteId: string;
  readonly caCertificatePem: string;
  /** SHA-256 of the CA certificate's DER, lower-case hex; part of every join token. */
  readonly caFingerprintSha256: string;
  /** SPIFFE ID under which agents know the control plane. */
  readonly controlPlaneSpiffeId: string;
  spiffeIdOfHost(hostId: string): string;
  /** Signs a host's request; throws invalid_request when it is not one we sign. Only our names go into it. */
  signHostRequest(hostId: string, csrPem: string): Promise<IssuedCertificate>;
  /** The control plane's own certificate and key, valid both as server and as client; renewed before it ends. */
  identity(): Promise<Identity>;
}

export interface IssuedCertificate {
  readonly certificatePem: string;
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprintSha256: string;
  readonly serial: string;
  readonly expiresAt: Date;
}

export interface Identity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly expiresAt: Date;
}

const DAY_MS = 86_400_000;
const CA_VALID_DAYS = 3650;
const HOST_VALID_DAYS = 90;
const IDENTITY_VALID_DAYS = 30;
/** A third of its life: a process that runs for months never presents an expired certificate. */
const IDENTITY_RENEW_BEFORE_MS = 10 * DAY_MS;
/** Clocks of hosts may be behind ours by this much when they see a fresh certificate. */
const CLOCK_SKEW_MS = 300_000;
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** RFC 5280 section 4.1.2.2: at most 20 octets, positive. */
const SERIAL_BYTES = 16;

const DNS_NAME_OF_CONTROL_PLANE = 'control-plane';

interface OpenOptions {
  readonly dataDir: string;
  readonly siteId: string;
  clock(): Date;
}

/** Opens the CA in `<dataDir>/ca`, or makes it. Throws conflict_state if the files belong to another site. */
export async function openSiteAuthority(options: OpenOptions): Promise<SiteAuthority> {
  cryptoProvider.set(webcrypto);
  const files = await loadOrCreateAuthority(options.dataDir, () => createAuthority(options.siteId, options.clock()));
  const certificate = new X509Certificate(files.certificatePem);
  if (certificate.subject !== subjectOf(options.siteId)) {
    throw new DomainError(
      'conflict_state',
      `the certificate authority in ${options.dataDir} is of another site than the database`,
    );
  }
  return new FileSiteAuthority(options, files, certificate, await importKey(files.privateKeyPem));
}

const subjectOf = (siteId: string): string => `CN=kvorum site ${siteId}`;

async function createAuthority(siteId: string, now: Date): Promise<AuthorityFiles> {
  const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: subjectOf(siteId),
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + CA_VALID_DAYS * DAY_MS),
    signingAlgorithm: P256,
    keys,
    extensions: [
      // Path length 0: it signs end certificates and nothing that could sign further.
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: certificate.toString('pem'), privateKeyPem: await exportKey(keys.privateKey) };
}

class FileSiteAuthority implements SiteAuthority {
  readonly siteId: string;
  readonly caCertificatePem: string;
  readonly caFingerprintSha256: string;
  readonly controlPlaneSpiffeId: string;
  readonly #options: OpenOptions;
  readonly #certificate: X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  #identity: Promise<Identity> | null = null;
  #identityRenewAt = 0;

  constructor(options: OpenOptions, files: AuthorityFiles, certificate: X509Certificate, key: webcrypto.CryptoKey) {
    this.siteId = options.siteId;
    this.caCertificatePem = files.certificatePem;
    this.caFingerprintSha256 = fingerprintOf(certificate);
    this.controlPlaneSpiffeId = `spiffe://kvorum/site/${options.siteId}/control-plane`;
    this.#options = options;
    this.#certificate = certificate;
    this.#key = key;
  }

  spiffeIdOfHost(hostId: string): string {
    return `spiffe://kvorum/site/${this.siteId}/host/${hostId}`;
  }

  async signHostRequest(hostId: string, csrPem: string): Promise<IssuedCertificate> {
    const publicKey = await publicKeyOfRequest(csrPem);
    const names = { dnsName: hostId, spiffeId: this.spiffeIdOfHost(hostId) };
    return this.#sign(publicKey, names, HOST_VALID_DAYS);
  }

  identity(): Promise<Identity> {
    const now = this.#options.clock().getTime();
    if (this.#identity === null || now >= this.#identityRenewAt) {
      this.#identityRenewAt = now + IDENTITY_VALID_DAYS * DAY_MS - IDENTITY_RENEW_BEFORE_MS;
      this.#identity = this.#issueIdentity();
    }
    return this.#identity;
  }

  async #issueIdentity(): Promise<Identity> {
    const keys = await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
    const names = { dnsName: DNS_NAME_OF_CONTROL_PLANE, spiffeId: this.controlPlaneSpiffeId };
    const issued = await this.#sign(keys.publicKey, names, IDENTITY_VALID_DAYS);
    return {
      certificatePem: issued.certificatePem,
      privateKeyPem: await exportKey(keys.privateKey),
      expiresAt: issued.expiresAt,
    };
  }

  async #sign(
    publicKey: PublicKey | webcrypto.CryptoKey,
    names: { dnsName: string; spiffeId: string },
    validDays: number,
  ): Promise<IssuedCertificate> {
    const now = this.#options.clock().getTime();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: `CN=${names.dnsName}`,
      issuer: this.#certificate.subject,
      notBefore: new Date(now - CLOCK_SKEW_MS),
      notAfter: new Date(now + validDays * DAY_MS),
      publicKey,
      signingKey: this.#key,
      signingAlgorithm: P256,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        // Each end is server on one connection and client on the other.
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension([
          { type: 'dns', value: names.dnsName },
          { type: 'url', value: names.spiffeId },
        ]),
        await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
      ],
    });
    return {
      certificatePem: certificate.toString('pem'),
      fingerprintSha256: fingerprintOf(certificate),
      serial: certificate.serialNumber,
      expiresAt: certificate.notAfter,
    };
  }
}

const fingerprintOf = (certificate: X509Certificate): string =>
  createHash('sha256').update(Buffer.from(certificate.rawData)).digest('hex');

/** The first bit stays clear, so that the number is positive, and the second is set, so that no zero leads. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const exportKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');

const importKey = (pem: string): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(pem), P256, false, ['sign']);
