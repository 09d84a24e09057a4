import { closeControlPlane, openControlPlane, startReconcilers, startWorker } from '@kvorum/control-plane';
import type { FastifyBaseLogger } from 'fastify';
import { buildApp } from './app.js';
import type { Configuration } from './configuration.js';
import { startGateway } from './gateway/start-gateway.js';
import { keepFirstToken } from './keep-first-token.js';

/** Where the process is reached; null: it does not have that role. */
export interface ListeningAddresses {
  readonly url: string | null;
  readonly gateway: string | null;
  readonly enrol: string | null;
}
export interface RunningProcess extends ListeningAddresses {
  /** Ends everything in the reverse order of its start, within the sum of the bounds below. */
  stop(): Promise<void>;
}

const WORKER_STOP_MS_MAX = 5000;
const GATEWAY_STOP_MS_MAX = 2000;

/** Opens the control plane and starts the parts that the roles ask for. A failure closes what was opened before it. */
export async function startProcess(configuration: Configuration, log: FastifyBaseLogger): Promise<RunningProcess> {
  const closers: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) {
      await close().catch((error: unknown) => log.error({ err: error }, 'a part did not stop cleanly'));
    }
  };
  try {
    return { ...(await start(configuration, log, closers)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  configuration: Configuration,
  log: FastifyBaseLogger,
  closers: (() => Promise<void>)[],
): Promise<ListeningAddresses> {
  const { roles, bootstrapTokenFile, requestsPerMinute } = configuration;
  const cp = await openControlPlane({
    databaseUrl: configuration.databaseUrl,
    ...(configuration.redisUrl === undefined ? {} : { redisUrl: configuration.redisUrl }),
    dataDir: configuration.dataDir,
    importDir: configuration.importDir,
    imageSources: configuration.imageSources,
    gatewayAddress: configuration.gatewayAddress,
    enrolAddress: configuration.enrolAddress,
    poolSize: configuration.databasePoolSize,
    log,
  });
  closers.push(() => closeControlPlane(cp));
  if (bootstrapTokenFile !== undefined) await keepFirstToken(cp, bootstrapTokenFile);
  if (roles.has('worker')) {
    const worker = await startWorker(cp, { concurrency: configuration.workerConcurrency });
    closers.push(() => worker.close(WORKER_STOP_MS_MAX));
  }
  if (roles.has('reconciler')) {
    const reconcilers = startReconcilers(cp);
    closers.push(async () => reconcilers.close());
  }
  if (!roles.has('api')) return { url: null, gateway: null, enrol: null };

  const gateway = await startGateway(cp, { gateway: configuration.gatewayListen, enrol: configuration.enrolListen });
  closers.push(() => gateway.close(GATEWAY_STOP_MS_MAX));
  const app = await buildApp({
    cp,
    log,
    ...(requestsPerMinute === undefined
      ? {}
      : { requestRate: { requestCountMax: requestsPerMinute, windowMs: 60_000 } }),
  });
  closers.push(() => app.close());
  const url = await app.listen(hostAndPortOf(configuration.listen));
  return { url, gateway: gateway.gateway, enrol: gateway.enrol };
}

function hostAndPortOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
