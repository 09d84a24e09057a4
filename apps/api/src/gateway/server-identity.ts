import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import type { ControlPlane } from '@kvorum/control-plane';

type IdentityListener = Parameters<experimental.CertificateProvider['addIdentityCertificateListener']>[0];
type CaListener = Parameters<experimental.CertificateProvider['addCaCertificateListener']>[0];

/** The authority renews its certificate weeks before it ends: asking every hour is early enough. */
const RENEWAL_CHECK_MS = 3_600_000;

/**
 * The control plane's certificate for gRPC servers. Renewed while they run, so that a control plane that runs for years keeps
 * being trusted without a restart. The CA is sent along: an enrolling host has only its fingerprint.
 */
export class ServerIdentity implements experimental.CertificateProvider {
  readonly #cp: ControlPlane;
  readonly #listeners = new Set<IdentityListener>();
  #current: { certificate: Buffer; privateKey: Buffer };
  readonly #timer: NodeJS.Timeout;

  private constructor(cp: ControlPlane, current: { certificate: Buffer; privateKey: Buffer }) {
    this.#cp = cp;
    this.#current = current;
    this.#timer = setInterval(() => this.#renew(), RENEWAL_CHECK_MS).unref();
  }

  static async open(cp: ControlPlane): Promise<ServerIdentity> {
    return new ServerIdentity(cp, await readIdentity(cp));
  }

  /** `hosts-only`: the peer must show a certificate of the site CA. `anyone`: TLS without one. */
  credentials(peers: 'hosts-only' | 'anyone'): ServerCredentials {
    const isHostsOnly = peers === 'hosts-only';
    // First who we are, then whose certificates count: grpc-js 1.14 names the parameters the other way round, but uses them so.
    return experimental.createCertificateProviderServerCredentials(this, isHostsOnly ? this : null, isHostsOnly);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.add(listener);
    deliver(() => listener(this.#current));
  }
  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#listeners.delete(listener);
  }
  addCaCertificateListener(listener: CaListener): void {
    const caCertificate = Buffer.from(this.#cp.authority.caCertificatePem);
    deliver(() => listener({ caCertificate }));
  }
  removeCaCertificateListener(): void {}

  #renew(): void {
    readIdentity(this.#cp).then(
      (current) => {
        this.#current = current;
        for (const listener of this.#listeners) listener(current);
      },
      (error: unknown) => this.#cp.log.error({ err: error }, 'cannot renew the certificate of the gateway'),
    );
  }
}

/** Not at once: grpc-js 1.14 listens to its own credentials only after it has asked for them. */
const deliver = (tell: () => void): void => queueMicrotask(tell);

async function readIdentity({ authority }: ControlPlane): Promise<{ certificate: Buffer; privateKey: Buffer }> {
  const { certificatePem, privateKeyPem } = await authority.identity();
  return {
    certificate: Buffer.from(`${certificatePem.trimEnd()}\n${authority.caCertificatePem}`),
    privateKey: Buffer.from(privateKeyPem),
  };
}
