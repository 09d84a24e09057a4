import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import {
  credentials,
  type handleServerStreamingCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { DomainError, newId } from '@kvorum/schema';
import {
  type EnrolHostRequest,
  type EnrolHostResponse,
  EnrolmentService,
  type HostReport,
  NodeAgentClient,
  type ReadImageRequest,
  type ReadImageResponse,
  type ReportReceipt,
  SiteGatewayService,
  toServiceError,
} from '@kvorum/schema/agent-wire';
import * as x509 from '@peculiar/x509';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
x509.cryptoProvider.set(webcrypto);

export interface KeyPair {
  readonly keyPem: string;
  readonly certificatePem: string;
}
interface Names {
  readonly dns: string;
  readonly uris: readonly string[];
}

/** A certificate authority with real keys. */
export class TestAuthority {
  private constructor(
    private readonly keys: webcrypto.CryptoKeyPair,
    readonly certificate: x509.X509Certificate,
  ) {}

  static async create(name: string): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      signingAlgorithm: ECDSA,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 1, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new TestAuthority(keys, certificate);
  }

  get pem(): string {
    return this.certificate.toString('pem');
  }
  get fingerprint(): string {
    return createHash('sha256').update(Buffer.from(this.certificate.rawData)).digest('hex');
  }

  async issue(names: Names): Promise<KeyPair> {
    const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return {
      keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
      certificatePem: await this.sign(keys.publicKey, names),
    };
  }

  async sign(publicKey: webcrypto.CryptoKey | x509.PublicKey, names: Names): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: `1${randomBytes(15).toString('hex')}`,
      subject: `CN=${names.dns}`,
      issuer: this.certificate.subject,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: ECDSA,
      extensions: [
        new x509.BasicConstraintsExtension(false),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: names.dns },
          ...names.uris.map((value) => ({ type: 'url' as const, value })),
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(this.keys.publicKey),
      ],
    });
    return certificate.toString('pem');
  }
}

/** The control plane's side of the wire: enrolment, gateway and calls to agents, over real TLS. */
export class SimulatedSite {
  readonly siteId = newId();
  readonly authority: TestAuthority;
  readonly images = new Map<string, Buffer>();
  readonly reports: HostReport[] = [];
  readonly redeemed: EnrolHostRequest[] = [];
  /** Redeems, but the answer gets lost so many times. */
  answersToLose = 0;
  leaseMs = 10_000;
  enrolPort = 0;
  gatewayPort = 0;
  controlPlane!: KeyPair;
  readonly #secret = randomBytes(32).toString('base64url');
  readonly #redeemedCsr = new Map<string, { hostId: string; certificatePem: string }>();
  readonly #streams = new Set<ServerDuplexStream<HostReport, ReportReceipt>>();
  readonly #clients: NodeAgentClient[] = [];
  #enrolment!: Server;
  #gateway!: Server;

  private constructor(authority: TestAuthority) {
    this.authority = authority;
  }

  static async start(): Promise<SimulatedSite> {
    const site = new SimulatedSite(await TestAuthority.create('test site'));
    site.controlPlane = await site.authority.issue({ dns: 'control-plane', uris: [site.controlPlaneId] });
    site.#enrolment = new Server();
    site.#enrolment.addService(EnrolmentService, {
      enrolHost: (
        call: ServerUnaryCall<EnrolHostRequest, EnrolHostResponse>,
        callback: sendUnaryData<EnrolHostResponse>,
      ) => {
        site.#redeem(call.request).then(
          (answer) => callback(null, answer),
          (thrown) => callback(toServiceError(thrown)),
        );
      },
    });
    site.enrolPort = await listen(site.#enrolment, site.#serverCredentials(false), 0);
    await site.startGateway();
    return site;
  }

  get controlPlaneId(): string {
    return `spiffe://kvorum/site/${this.siteId}/control-plane`;
  }
  hostSpiffeId(hostId: string): string {
    return `spiffe://kvorum/site/${this.siteId}/host/${hostId}`;
  }
  joinToken(fingerprint = this.authority.fingerprint): string {
    return `kvj1.${fingerprint}.${this.#secret}`;
  }
  async writeJoinFile(path: string, token = this.joinToken()): Promise<string> {
    await writeFile(path, `${token}\n`);
    return path;
  }

  async startGateway(): Promise<void> {
    this.#gateway = new Server();
    const readImage: handleServerStreamingCall<ReadImageRequest, ReadImageResponse> = (call) => {
      const content = this.images.get(call.request.imageId);
      if (content === undefined) {
        call.emit('error', toServiceError(new DomainError('not_found', 'no such image')));
        return;
      }
      for (let offset = call.request.offset; offset < content.byteLength; offset += 1000) {
        call.write({ offset, data: content.subarray(offset, offset + 1000) });
      }
      call.end();
    };
    this.#gateway.addService(SiteGatewayService, {
      readImage,
      streamReports: (call: ServerDuplexStream<HostReport, ReportReceipt>) => {
        this.#streams.add(call);
        call.on('data', (report: HostReport) => {
          this.reports.push(report);
          call.write({ reportGeneration: report.reportGeneration, leaseMs: this.leaseMs });
        });
        call.on('end', () => call.end());
        call.on('error', () => undefined);
        call.on('close', () => this.#streams.delete(call));
      },
    });
    this.gatewayPort = await listen(this.#gateway, this.#serverCredentials(true), this.gatewayPort);
  }

  stopGateway(): void {
    this.#gateway.forceShutdown();
  }

  /** A client as the control plane, or with any other certificate; null: none. */
  agentClient(agent: { address: string; hostId: string }, as: KeyPair | null = this.controlPlane): NodeAgentClient {
    const client = new NodeAgentClient(
      agent.address,
      credentials.createSsl(
        Buffer.from(this.authority.pem),
        as && Buffer.from(as.keyPem),
        as && Buffer.from(as.certificatePem),
      ),
      { 'grpc.ssl_target_name_override': agent.hostId, 'grpc.use_local_subchannel_pool': 1 },
    );
    this.#clients.push(client);
    return client;
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#enrolment.forceShutdown();
    this.#gateway.forceShutdown();
  }

  #serverCredentials(isClientAsked: boolean): ServerCredentials {
    return ServerCredentials.createSsl(
      Buffer.from(this.authority.pem),
      [
        {
          private_key: Buffer.from(this.controlPlane.keyPem),
          cert_chain: Buffer.from(`${this.controlPlane.certificatePem}\n${this.authority.pem}`),
        },
      ],
      isClientAsked,
    );
  }

  async #redeem(request: EnrolHostRequest) {
    this.redeemed.push(request);
    if (request.joinSecret !== this.#secret) throw new DomainError('host_not_trusted', 'unknown join token');
    let issued = this.#redeemedCsr.get(request.csrPem);
    if (issued === undefined) {
      if (this.#redeemedCsr.size > 0) throw new DomainError('host_not_trusted', 'the join token was used');
      const hostId = newId();
      const csr = new x509.Pkcs10CertificateRequest(request.csrPem);
      if (!(await csr.verify())) throw new DomainError('invalid_request', 'bad signature');
      const names = { dns: hostId, uris: [this.hostSpiffeId(hostId)] };
      issued = { hostId, certificatePem: await this.authority.sign(csr.publicKey, names) };
      this.#redeemedCsr.set(request.csrPem, issued);
    }
    if (this.answersToLose > 0) {
      this.answersToLose -= 1;
      throw new DomainError('unavailable', 'the answer was lost');
    }
    return {
      hostId: issued.hostId,
      siteId: this.siteId,
      certificatePem: issued.certificatePem,
      caCertificatePem: this.authority.pem,
      gatewayAddress: `127.0.0.1:${this.gatewayPort}`,
    };
  }
}

function listen(server: Server, serverCredentials: ServerCredentials, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, serverCredentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
}
