import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addBackports } from './debian-backports.mjs';

const DEB822 = `Types: deb
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`;

let aptDir = '';
beforeEach(() => {
  aptDir = mkdtempSync(path.join(os.tmpdir(), 'kvt-apt-'));
  mkdirSync(path.join(aptDir, 'sources.list.d'));
});
afterEach(() => rmSync(aptDir, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(path.join(aptDir, name), text);

describe('adding backports to apt', () => {
  it('takes mirror and key from the source of the release itself', () => {
    put('sources.list.d/debian.sources', DEB822);
    const added = addBackports('bookworm-backports', aptDir);
    expect(added?.text.split('\n').slice(1)).toEqual([
      'Types: deb',
      'URIs: http://mirror.example/debian',
      'Suites: bookworm-backports',
      'Components: main',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ]);
    expect(readFileSync(path.join(aptDir, 'sources.list.d/kvorum-backports.sources'), 'utf8')).toBe(added?.text);
  });

  it('understands one-line sources with options', () => {
    put(
      'sources.list',
      'deb [arch=amd64 signed-by=/k.gpg] https://m.example/debian/ bookworm main contrib # trailing\n',
    );
    expect(addBackports('bookworm-backports', aptDir)?.text).toContain(
      'URIs: https://m.example/debian/\nSuites: bookworm-backports\nComponents: main\nSigned-By: /k.gpg\n',
    );
  });

  it('adds nothing where apt knows the suite already, in either form', () => {
    put('sources.list', 'deb http://m.example/debian bookworm-backports main\n');
    expect(addBackports('bookworm-backports', aptDir)).toBeNull();
    put('sources.list', '');
    put('sources.list.d/b.sources', DEB822.replace('Suites: bookworm ', 'Suites: bookworm-backports bookworm '));
    expect(addBackports('bookworm-backports', aptDir)).toBeNull();
  });

  it.each([
    ['the release is only there as source code', 'deb-src http://m.example/debian bookworm main\n'],
    ['the source is switched off', ''],
  ])('refuses with the remedy when %s', (_case, text) => {
    put('sources.list', text);
    put('sources.list.d/off.sources', `Enabled: no\n${DEB822.split('\n\n')[0]}\n`);
    expect(() => addBackports('bookworm-backports', aptDir)).toThrow(/no source for bookworm main[\s\S]*echo 'deb /);
  });
});
