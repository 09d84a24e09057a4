import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDouble, page, type Reply } from './double.js';
import { aFlavor, anImage, anOperation, aVm, idOf } from './shapes.js';

const ACCEPTED: Reply = { status: 202, body: { resourceId: idOf(1), operation: anOperation() } };
const ROUTES = {
  'GET /v1/vms': page(aVm()),
  'GET /v1/flavors': page(aFlavor()),
  'GET /v1/images': page(anImage()),
  'POST /v1/vms': ACCEPTED,
  [`PATCH /v1/vms/${idOf(1)}`]: ACCEPTED,
};
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK+6bw+GGoI4XI7EG0cufyyf/XbW4ss2CF03WuuTvey5 me';

describe('what the command line tells a guest by cloud-init', () => {
  let folder: string;
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const sent = async (command: string): Promise<{ exitCode: number; stderr: string; body: unknown }> => {
    const { run, calls } = await openDouble(ROUTES);
    const { exitCode, stderr } = await run(command);
    return { exitCode, stderr, body: calls.find(({ call }) => /^(POST|PATCH)/.test(call))?.body };
  };
  const create = (options: string) => sent(`vm create web-1 --flavor small --image debian-13 ${options}`);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kvorum-cli-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is read from files', async () => {
    const keys = file('keys.pub', `# mine\n${KEY}\n\n${KEY} too\n`);
    const userData = file('web.yaml', '#cloud-config\npackages: [nginx]\n');
    const { body } = await create(`--ssh-key ${keys} --user-data ${userData} --hostname front`);
    expect(body).toMatchObject({
      cloudInit: {
        hostname: 'front',
        sshAuthorizedKeys: [KEY, `${KEY} too`],
        userData: '#cloud-config\npackages: [nginx]\n',
      },
    });
  });

  it('is nothing unless it is asked for', async () => {
    expect((await create('')).body).not.toHaveProperty('cloudInit');
    expect((await create('--cloud-init')).body).toMatchObject({ cloudInit: {} });
  });

  it('is changed field by field, and taken away', async () => {
    expect((await sent('vm update web-1 --hostname front')).body).toEqual({ cloudInit: { hostname: 'front' } });
    expect((await sent('vm update web-1 --no-cloud-init')).body).toEqual({ cloudInit: null });
    const both = await sent('vm update web-1 --no-cloud-init --hostname front');
    expect([both.body, both.stderr]).toEqual([undefined, expect.stringContaining('Leave one of them out')]);
  });

  it('is never a private key, nor a file that is not there', async () => {
    const key = file('id', '-----BEGIN OPENSSH PRIVATE KEY-----\n');
    const refused = await create(`--ssh-key ${key}`);
    expect([refused.exitCode, refused.body]).toEqual([2, undefined]);
    expect(refused.stderr).toContain(`${key} is a private key`);
    expect((await create('--user-data /no/such/file')).stderr).toContain('/no/such/file cannot be read (ENOENT)');
  });
});
