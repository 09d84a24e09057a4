import { describe, expect, it } from 'vitest';
import { answerMetadata, type Instance } from './answer-metadata.js';
import { handleRequest } from './handle-request.js';
import { MetadataTokens } from './metadata-tokens.js';

const INSTANCE: Instance = {
  instanceId: '01900000-0000-4000-8000-000000000001',
  hostname: 'web-1',
  sshAuthorizedKeys: ['ssh-ed25519 AAAA one', 'ssh-ed25519 BBBB two'],
  userData: '#cloud-config\n',
  macAddress: '02:00:00:00:00:01',
  address: '10.20.0.11',
};
const NOW_MS = 1_800_000_000_000;
const HOST = { host: '169.254.169.254' };
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';
const TOKEN = 'x-aws-ec2-metadata-token';

describe('what a guest finds at the metadata address', () => {
  it.each<[path: string, body: string | null]>([
    ['/latest/', 'meta-data/\nuser-data'],
    ['/latest/meta-data', 'hostname\ninstance-id\nlocal-hostname\nlocal-ipv4\nmac\npublic-keys/'],
    ['/latest/meta-data/instance-id', INSTANCE.instanceId],
    ['/latest/meta-data/local-hostname', 'web-1'],
    ['/latest/meta-data/local-ipv4', '10.20.0.11'],
    ['/latest/meta-data/mac', '02:00:00:00:00:01'],
    ['/latest/meta-data/public-keys/', '0=key-0\n1=key-1'],
    ['/latest/meta-data/public-keys/1/', 'openssh-key'],
    ['/latest/meta-data/public-keys/1/openssh-key', 'ssh-ed25519 BBBB two'],
    ['/latest/user-data', '#cloud-config\n'],
    ['/latest/meta-data/public-keys/2/', null],
    ['/latest/../etc/passwd', null],
    ['/latest/meta-data/__proto__', null],
    ['/', null],
  ])('%s', (path, body) => {
    expect(answerMetadata(path, INSTANCE)).toBe(body);
  });

  it('is no user data where there is none', () => {
    expect(answerMetadata('/latest/user-data', { ...INSTANCE, userData: null })).toBeNull();
    expect(answerMetadata('/latest/', { ...INSTANCE, userData: null })).toBe('meta-data/');
  });
});

describe('who asks at the metadata address', () => {
  const tokens = new MetadataTokens();
  const ask = (
    request: { method?: string; url?: string; headers?: Record<string, string> },
    instance: Instance | null = INSTANCE,
    networkId = 'network-1',
    nowMs = NOW_MS,
  ) => {
    const { method = 'GET', url = '/latest/meta-data/mac', headers = {} } = request;
    return handleRequest({ method, url, headers: { ...HOST, ...headers } }, { networkId, instance, nowMs }, tokens);
  };
  const put = (headers: Record<string, string> = { [TTL]: '60' }, instance: Instance | null = INSTANCE) =>
    ask({ method: 'PUT', url: '/latest/api/token', headers }, instance);

  it('needs a token, which is good until its end', () => {
    expect(ask({}).status).toBe(401);
    const { status, body: token } = put();
    expect(status).toBe(200);
    expect(ask({ headers: { [TOKEN]: token } })).toEqual({ status: 200, body: '02:00:00:00:00:01' });
    expect(ask({ url: '/latest/meta-data/mac?x=1', headers: { [TOKEN]: token } }).status).toBe(200);
    expect(ask({ headers: { [TOKEN]: token } }, INSTANCE, 'network-1', NOW_MS + 60_000).status).toBe(401);
  });

  it.each<[what: string, of: [Instance, string]]>([
    ['another address', [{ ...INSTANCE, address: '10.20.0.12' }, 'network-1']],
    ['the same address of another network', [INSTANCE, 'network-2']],
    ['the next VM at the address', [{ ...INSTANCE, instanceId: 'other' }, 'network-1']],
  ])('gets nowhere with the token of %s', (_what, [instance, networkId]) => {
    const { body: token } = put();
    expect(ask({ headers: { [TOKEN]: token } }, instance, networkId).status).toBe(401);
  });

  it('gets nowhere with a token that was changed', () => {
    const { body: token } = put();
    for (const wrong of ['', 'x', token.slice(1), `A${token.slice(1)}B`, token.slice(0, -4)]) {
      expect(ask({ headers: { [TOKEN]: wrong } }).status).toBe(401);
    }
    const later = Buffer.from(token, 'base64url');
    later.writeUInt8(0xff, 0);
    expect(ask({ headers: { [TOKEN]: later.toString('base64url') } }).status).toBe(401);
  });

  it.each<[what: string, headers: Record<string, string>, status: number]>([
    ['no time', {}, 400],
    ['no time at all', { [TTL]: '0' }, 400],
    ['more than six hours', { [TTL]: '21601' }, 400],
    ['what is no number', { [TTL]: '1e3' }, 400],
    ['a proxy before it', { [TTL]: '60', 'x-forwarded-for': '10.0.0.1' }, 403],
    ['another name, as a page in a browser has it', { [TTL]: '60', host: 'evil.example' }, 400],
  ])('gets no token with %s', (_what, headers, status) => {
    expect(put(headers).status).toBe(status);
  });

  it('is told that nothing is kept, of a VM without cloud-init', () => {
    expect(put({ [TTL]: '60' }, null).status).toBe(404);
  });

  it('cannot write', () => {
    const { body: token } = put();
    for (const method of ['POST', 'DELETE', 'HEAD', 'PUT']) {
      expect(ask({ method, headers: { [TOKEN]: token } }).status).toBe(405);
    }
  });
});
