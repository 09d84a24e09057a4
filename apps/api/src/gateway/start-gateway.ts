import { Server, type ServerCredentials, type ServerOptions } from '@grpc/grpc-js';
import { authoriseHost, type ControlPlane } from '@kvorum/control-plane';
import { DomainError, KIB, MIB } from '@kvorum/schema';
import { EnrolmentService, SiteGatewayService } from '@kvorum/schema/agent-wire';
import { AttemptLimiter } from '../attempt-limiter.js';
import { enrolHostRpc } from './enrol-host.rpc.js';
import type { GatewayDeps } from './gateway-deps.js';
import { HostTrust } from './host-trust.js';
import { readImageRpc } from './read-image.rpc.js';
import { ServerIdentity } from './server-identity.js';
import { StreamRegistry } from './stream-registry.js';
import { streamReportsRpc } from './stream-reports.rpc.js';

export interface GatewayAddresses {
  /** host:port; port 0 takes a free one. */
  readonly gateway: string;
  readonly enrol: string;
}
export interface Gateway extends GatewayAddresses {
  /** Ends all streams; waits at most `timeoutMs` for calls under way. */
  close(timeoutMs: number): Promise<void>;
}

/** 10 wrong join secrets a minute from one address: a person's typing errors, and no more. */
const JOIN_FAILURES = { failureCountMax: 10, windowMs: 60_000, keyCountMax: 10_000 };

/** A dead peer is noticed within 30 s. */
const KEEPALIVE: ServerOptions = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // Streams to one host: reports and some images.
  'grpc.max_concurrent_streams': 32,
};
/** A full report of 4096 VMs has about 1 MiB. */
const GATEWAY_OPTIONS: ServerOptions = { ...KEEPALIVE, 'grpc.max_receive_message_length': 4 * MIB };
/** Anyone may connect here, so: small messages, and no lingering. */
const ENROL_OPTIONS: ServerOptions = {
  ...KEEPALIVE,
  'grpc.max_receive_message_length': 64 * KIB,
  'grpc.max_connection_idle_ms': 15_000,
  'grpc.max_connection_age_ms': 60_000,
};

/** Opens the two ports that hosts dial: the gateway (mTLS) and enrolment (TLS; the join secret is the proof). */
export async function startGateway(cp: ControlPlane, listen: GatewayAddresses): Promise<Gateway> {
  const deps: GatewayDeps = {
    cp,
    trust: new HostTrust(
      (peer) => authoriseHost(cp, peer),
      () => performance.now(),
    ),
    streams: new StreamRegistry(),
    joinAttempts: new AttemptLimiter(JOIN_FAILURES),
  };
  const identity = await ServerIdentity.open(cp);
  const gateway = new Server(GATEWAY_OPTIONS);
  gateway.addService(SiteGatewayService, { streamReports: streamReportsRpc(deps), readImage: readImageRpc(deps) });
  const enrol = new Server(ENROL_OPTIONS);
  enrol.addService(EnrolmentService, { enrolHost: enrolHostRpc(deps) });
  const close = async (timeoutMs: number): Promise<void> => {
    deps.streams.close();
    await Promise.all([stop(gateway, timeoutMs), stop(enrol, timeoutMs)]);
    identity.close();
  };
  try {
    return {
      gateway: await bind(gateway, listen.gateway, identity.credentials('hosts-only')),
      enrol: await bind(enrol, listen.enrol, identity.credentials('anyone')),
      close,
    };
  } catch (error) {
    await close(0);
    throw error;
  }
}

/** The address that was bound, with the port that was taken. */
const bind = (server: Server, address: string, credentials: ServerCredentials): Promise<string> =>
  new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(`${address.slice(0, address.lastIndexOf(':'))}:${port}`);
      else reject(new DomainError('unavailable', `cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
  });

const stop = (server: Server, timeoutMs: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, timeoutMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
