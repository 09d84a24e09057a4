import { join } from 'node:path';
import type { ImageSources } from '@kvorum/control-plane';
import { z } from 'zod';

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

export const ROLES = ['api', 'worker', 'reconciler'] as const;
export type ProcessRole = (typeof ROLES)[number];

const Address = z.string().regex(/^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$/, {
  error: 'must be host:port, an IPv6 address in brackets',
});

const Environment = z.object({
  KVORUM_DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, { error: 'must be a postgresql:// URL' }),
  KVORUM_REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, { error: 'must be a redis:// URL' })
    .optional(),
  KVORUM_DATA_DIR: z.string().min(1),
  KVORUM_IMPORT_DIR: z.string().min(1).optional(),
  KVORUM_LISTEN: Address.default('127.0.0.1:7080'),
  KVORUM_GATEWAY_LISTEN: Address.default('127.0.0.1:7081'),
  KVORUM_ENROL_LISTEN: Address.default('127.0.0.1:7082'),
  /** What hosts are told to dial, where it is not what is listened on. */
  KVORUM_GATEWAY_ADDRESS: Address.optional(),
  KVORUM_ENROL_ADDRESS: Address.optional(),
  KVORUM_ROLES: z
    .string()
    .default(ROLES.join(','))
    .transform(listOf)
    .pipe(z.array(z.enum(ROLES)).min(1)),
  /** Servers that images may be fetched from: names, `*.example.org`, or `*`. */
  KVORUM_IMAGE_HOSTS: z
    .string()
    .default('*')
    .transform(listOf)
    .pipe(
      z.array(
        z.string().regex(/^(?:\*|(?:\*\.)?[A-Za-z0-9._:[\]-]{1,253})$/, { error: 'must be host names, *.domain or *' }),
      ),
    ),
  /** Networks that images may be fetched from although they are not public. */
  KVORUM_IMAGE_PRIVATE_NETWORKS: z
    .string()
    .default('')
    .transform(listOf)
    .pipe(z.array(z.union([z.cidrv4(), z.cidrv6()], { error: 'must be networks such as 10.1.0.0/16' }))),
  KVORUM_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  KVORUM_BOOTSTRAP_TOKEN_FILE: z.string().min(1).optional(),
  KVORUM_REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).optional(),
  KVORUM_DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(200).default(16),
  KVORUM_WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(256).default(16),
});

export interface Configuration {
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  readonly dataDir: string;
  readonly importDir: string;
  readonly imageSources: ImageSources;
  readonly listen: string;
  readonly gatewayListen: string;
  readonly enrolListen: string;
  readonly gatewayAddress: string;
  readonly enrolAddress: string;
  readonly roles: ReadonlySet<ProcessRole>;
  readonly logLevel: string;
  readonly bootstrapTokenFile: string | undefined;
  readonly requestsPerMinute: number | undefined;
  readonly databasePoolSize: number;
  readonly workerConcurrency: number;
}

export type ConfigurationResult =
  | { readonly kind: 'parsed'; readonly configuration: Configuration }
  /** One line per variable that is wrong. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** The process's settings; an empty variable counts as not set, as systemd and compose files write it. */
export function parseConfiguration(environment: Readonly<Record<string, string | undefined>>): ConfigurationResult {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = Environment.safeParse(set);
  if (!parsed.success) {
    return {
      kind: 'refused',
      problems: parsed.error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`),
    };
  }
  const env = parsed.data;
  return {
    kind: 'parsed',
    configuration: {
      databaseUrl: env.KVORUM_DATABASE_URL,
      redisUrl: env.KVORUM_REDIS_URL,
      dataDir: env.KVORUM_DATA_DIR,
      importDir: env.KVORUM_IMPORT_DIR ?? join(env.KVORUM_DATA_DIR, 'import'),
      imageSources: { hosts: env.KVORUM_IMAGE_HOSTS, privateNetworks: env.KVORUM_IMAGE_PRIVATE_NETWORKS },
      listen: env.KVORUM_LISTEN,
      gatewayListen: env.KVORUM_GATEWAY_LISTEN,
      enrolListen: env.KVORUM_ENROL_LISTEN,
      gatewayAddress: env.KVORUM_GATEWAY_ADDRESS ?? env.KVORUM_GATEWAY_LISTEN,
      enrolAddress: env.KVORUM_ENROL_ADDRESS ?? env.KVORUM_ENROL_LISTEN,
      roles: new Set(env.KVORUM_ROLES),
      logLevel: env.KVORUM_LOG_LEVEL,
      bootstrapTokenFile: env.KVORUM_BOOTSTRAP_TOKEN_FILE,
      requestsPerMinute: env.KVORUM_REQUESTS_PER_MINUTE,
      databasePoolSize: env.KVORUM_DATABASE_POOL_SIZE,
      workerConcurrency: env.KVORUM_WORKER_CONCURRENCY,
    },
  };
}
