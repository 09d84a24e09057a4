import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { type ChannelCredentials, credentials, type ServiceError } from '@grpc/grpc-js';
import {
  type EnrolHostRequest,
  type EnrolHostResponse,
  EnrolmentClient,
  fromServiceError,
  SiteGatewayClient,
} from '@kvorum/schema/agent-wire';
import { cryptoProvider, PemConverter, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { Gateway } from '../src/gateway/start-gateway.js';
import type { Site } from './open-site.js';

/** The gateway's certificate is for this name, whatever address it is reached at. */
export const CONTROL_PLANE_NAME = { 'grpc.ssl_target_name_override': 'control-plane' };
const KEYS = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface HostKey {
  readonly csrPem: string;
  readonly keyPem: string;
}

export async function makeHostKey(): Promise<HostKey> {
  cryptoProvider.set(webcrypto as never);
  const keys = (await webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const csr = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=host', keys, signingAlgorithm: KEYS });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { csrPem: csr.toString('pem'), keyPem: PemConverter.encode(key, 'PRIVATE KEY') };
}

export const caOf = (site: Site): Buffer => Buffer.from(site.cp.authority.caCertificatePem);

/** Asks on the enrolment port; rejects with the DomainError that came over the wire. */
export function enrol(site: Site, gateway: Gateway, request: EnrolHostRequest): Promise<EnrolHostResponse> {
  const client = new EnrolmentClient(gateway.enrol, credentials.createSsl(caOf(site)), CONTROL_PLANE_NAME);
  return new Promise<EnrolHostResponse>((resolve, reject) => {
    client.enrolHost(request, (error: ServiceError | null, response: EnrolHostResponse) =>
      error === null ? resolve(response) : reject(fromServiceError(error)),
    );
  }).finally(() => client.close());
}

export async function newJoinSecret(site: Site, hostName: string): Promise<string> {
  const { body } = await site.ask('POST', '/v1/host-enrolments', { as: 'admin', body: { hostName } });
  return body.joinToken.split('.')[2];
}

export interface EnrolledHost {
  readonly hostId: string;
  readonly credentials: ChannelCredentials;
  readonly gateway: SiteGatewayClient;
}

/** A host with a real certificate of the site, and a client on the gateway. */
export async function enrolledHost(site: Site, gateway: Gateway, hostName: string): Promise<EnrolledHost> {
  const { csrPem, keyPem } = await makeHostKey();
  const joinSecret = await newJoinSecret(site, hostName);
  const answer = await enrol(site, gateway, { joinSecret, hostName, csrPem, address: '127.0.0.1:7000' });
  const own = credentials.createSsl(caOf(site), Buffer.from(keyPem), Buffer.from(answer.certificatePem));
  return {
    hostId: answer.hostId,
    credentials: own,
    gateway: new SiteGatewayClient(gateway.gateway, own, CONTROL_PLANE_NAME),
  };
}
