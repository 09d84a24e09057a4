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
