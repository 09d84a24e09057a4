import { describe, expect, it } from 'vitest';
import { parseConfiguration } from './configuration.js';

const LEAST = { KVORUM_DATABASE_URL: 'postgresql://kvorum@localhost/kvorum', KVORUM_DATA_DIR: '/var/lib/kvorum' };

describe('configuration', () => {
  it('needs a database and a data folder, and has a default for the rest', () => {
    expect(parseConfiguration(LEAST)).toEqual({
      kind: 'parsed',
      configuration: {
        databaseUrl: 'postgresql://kvorum@localhost/kvorum',
        redisUrl: undefined,
        dataDir: '/var/lib/kvorum',
        importDir: '/var/lib/kvorum/import',
        imageSources: { hosts: ['*'], privateNetworks: [] },
        listen: '127.0.0.1:7080',
        gatewayListen: '127.0.0.1:7081',
        enrolListen: '127.0.0.1:7082',
        gatewayAddress: '127.0.0.1:7081',
        enrolAddress: '127.0.0.1:7082',
        roles: new Set(['api', 'worker', 'reconciler']),
        logLevel: 'info',
        bootstrapTokenFile: undefined,
        requestsPerMinute: undefined,
        databasePoolSize: 16,
        workerConcurrency: 16,
      },
    });
  });

  it('tells hosts another address than it listens on where one is set', () => {
    const result = parseConfiguration({
      ...LEAST,
      KVORUM_GATEWAY_LISTEN: '[::]:7081',
      KVORUM_GATEWAY_ADDRESS: 'site1.example:7081',
      KVORUM_ROLES: 'api, worker',
      KVORUM_REDIS_URL: '',
    });
    expect(result).toMatchObject({
      configuration: {
        gatewayListen: '[::]:7081',
        gatewayAddress: 'site1.example:7081',
        redisUrl: undefined,
        roles: new Set(['api', 'worker']),
      },
    });
  });

  it('takes where images may be fetched from', () => {
    const result = parseConfiguration({
      ...LEAST,
      KVORUM_IMAGE_HOSTS: 'cloud.example.org, *.mirror.example',
      KVORUM_IMAGE_PRIVATE_NETWORKS: '10.1.0.0/16,fd00:1::/64',
    });
    expect(result).toMatchObject({
      configuration: {
        imageSources: {
          hosts: ['cloud.example.org', '*.mirror.example'],
          privateNetworks: ['10.1.0.0/16', 'fd00:1::/64'],
        },
      },
    });
  });

  it.each([
    [{}, ['KVORUM_DATABASE_URL', 'KVORUM_DATA_DIR']],
    [{ ...LEAST, KVORUM_DATABASE_URL: 'mysql://x' }, ['KVORUM_DATABASE_URL']],
    [{ ...LEAST, KVORUM_LISTEN: '7080' }, ['KVORUM_LISTEN']],
    [{ ...LEAST, KVORUM_ROLES: 'api,king' }, ['KVORUM_ROLES']],
    [{ ...LEAST, KVORUM_WORKER_CONCURRENCY: '0' }, ['KVORUM_WORKER_CONCURRENCY']],
    [{ ...LEAST, KVORUM_IMAGE_HOSTS: 'https://example.org' }, ['KVORUM_IMAGE_HOSTS']],
    [{ ...LEAST, KVORUM_IMAGE_PRIVATE_NETWORKS: '10.1.0.0' }, ['KVORUM_IMAGE_PRIVATE_NETWORKS']],
  ])('names the variables that are wrong: %j', (environment, names) => {
    const result = parseConfiguration(environment);
    if (result.kind !== 'refused') throw new Error('it was taken');
    expect(result.problems.map((problem) => problem.split(':')[0])).toEqual(names);
  });
});
