import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ok, openDouble, page, TOKEN } from './double.js';
import { idOf } from './shapes.js';

const SELF = { 'GET /v1/tokens/self': ok({ id: idOf(8), name: 'ops', role: 'operator', projectId: null }) };
const PERMISSIONS = 0o777;

describe('kvorum login', () => {
  it('takes the token from standard input, and stores it for the owner alone', async () => {
    const { run, url, loginFile } = await openDouble({ ...SELF, 'GET /v1/vms': page() });
    const login = await run(`login ${url}`, { isLoggedIn: false, stdin: `${TOKEN}\n` });
    expect(login).toMatchObject({
      exitCode: 0,
      stdout: `control plane  ${url}\ntoken          ops\nrole           operator\nproject        all\n`,
    });
    expect(JSON.parse(readFileSync(loginFile, 'utf8'))).toEqual({ url, token: TOKEN });
    expect(statSync(loginFile).mode & PERMISSIONS).toBe(0o600);
    expect(statSync(dirname(loginFile)).mode & PERMISSIONS).toBe(0o700);
    expect((await run('vm list', { isLoggedIn: false })).exitCode).toBe(0);
  });

  it('closes a login file that was open to others', async () => {
    const { run, url, loginFile, folder } = await openDouble(SELF);
    mkdirSync(dirname(loginFile), { recursive: true });
    writeFileSync(loginFile, '{}');
    chmodSync(loginFile, 0o644);
    await run(`login ${url} --token-file ${join(folder, 'token')}`, { isLoggedIn: false });
    expect(statSync(loginFile).mode & PERMISSIONS).toBe(0o600);
  });

  it('stores nothing when the token is refused', async () => {
    const { run, url, loginFile } = await openDouble(SELF);
    const { exitCode, stderr } = await run(`login ${url}`, { isLoggedIn: false, stdin: 'kvt1_wrong\n' });
    expect(exitCode).toBe(6);
    expect(stderr).not.toContain('kvt1_wrong');
    expect(existsSync(loginFile)).toBe(false);
  });

  it.each([
    ['no token at all', ''],
    ['a token with a space in it', 'kvt1_a b\n'],
  ])('refuses %s before anything is sent', async (_name, stdin) => {
    const { run, url, calls } = await openDouble(SELF);
    expect((await run(`login ${url}`, { isLoggedIn: false, stdin })).exitCode).toBe(2);
    expect(calls).toEqual([]);
  });

  it('takes no token as an argument', async () => {
    const { run, url, calls } = await openDouble(SELF);
    expect((await run(`login ${url} ${TOKEN}`, { isLoggedIn: false })).exitCode).toBe(2);
    expect((await run(`login ${url} --token ${TOKEN}`, { isLoggedIn: false })).exitCode).toBe(2);
    expect(calls).toEqual([]);
  });

  it('says when nobody listens there', async () => {
    const { run } = await openDouble({});
    const { exitCode, stderr } = await run('login ftp://127.0.0.1', { isLoggedIn: false, stdin: TOKEN });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('must be an http or https URL');
  });
});

describe('without a login', () => {
  it('every command says how to get one', async () => {
    const { run } = await openDouble(SELF);
    expect(await run('whoami', { isLoggedIn: false })).toEqual({
      exitCode: 6,
      stdout: '',
      stderr:
        'error: not logged in (unauthenticated)\nremedy: Run `kvorum login http://host:7080`, or set KVORUM_URL and KVORUM_TOKEN_FILE.\n',
    });
  });

  it('a damaged login file is named', async () => {
    const { run, loginFile } = await openDouble(SELF);
    mkdirSync(dirname(loginFile), { recursive: true });
    writeFileSync(loginFile, '{"url":');
    const { exitCode, stderr } = await run('whoami', { isLoggedIn: false });
    expect([exitCode, stderr.split('\n')[0]]).toEqual([2, `error: ${loginFile} is damaged (invalid_request)`]);
  });

  it('logout leaves none behind, and may be repeated', async () => {
    const { run, url, loginFile } = await openDouble(SELF);
    await run(`login ${url}`, { isLoggedIn: false, stdin: TOKEN });
    expect((await run('logout')).exitCode).toBe(0);
    expect(existsSync(loginFile)).toBe(false);
    expect((await run('logout')).exitCode).toBe(0);
  });
});

describe('the environment', () => {
  it('goes before the stored login', async () => {
    const { run, url, loginFile } = await openDouble(SELF);
    mkdirSync(dirname(loginFile), { recursive: true });
    writeFileSync(loginFile, JSON.stringify({ url: 'http://127.0.0.1:1', token: 'kvt1_other' }));
    expect((await run('whoami')).stdout).toContain(url);
  });
});
