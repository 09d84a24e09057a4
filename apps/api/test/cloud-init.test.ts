import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';

const ID = '019a0000-0000-7000-8000-000000000001';
const VM = { name: 'web-1', flavorId: ID, imageId: ID };

describe('what a guest is told by cloud-init', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  it.each<[what: string, cloudInit: object, field: string]>([
    ['a host name with a dot', { hostname: 'web.shop' }, 'hostname'],
    ['a host name of two lines', { hostname: 'web\nrm' }, 'hostname'],
    ['a private key', { sshAuthorizedKeys: ['-----BEGIN OPENSSH PRIVATE KEY-----'] }, 'sshAuthorizedKeys.0'],
    [
      'too many keys',
      { sshAuthorizedKeys: Array.from({ length: 65 }, () => `ssh-ed25519 ${'A'.repeat(68)}`) },
      'sshAuthorizedKeys',
    ],
    ['user data that is too large', { userData: 'ü'.repeat(40_000) }, 'userData'],
    ['user data that is no text', { userData: '#!/bin/sh\0' }, 'userData'],
    ['an instance id', { instanceId: ID }, 'instanceId'],
  ])('%s is refused by name, when a VM is made and when it is changed', async (_what, cloudInit, field) => {
    for (const [method, url, body] of [
      ['POST', '/v1/vms', { ...VM, cloudInit }],
      ['PATCH', `/v1/vms/${ID}`, { cloudInit }],
    ] as const) {
      const answer = await site.ask(method, url, { as: 'admin', body });
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
      const fields = answer.body.errors.map((one: { field: string }) => one.field);
      expect(fields).toContain(`body.cloudInit.${field}`);
      expect(JSON.stringify(answer.body)).not.toContain('#!/bin/sh');
    }
  });
});
