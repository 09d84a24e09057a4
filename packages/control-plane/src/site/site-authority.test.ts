import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@kvorum/schema';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeHostKey } from '../../test/world/host-key.js';
import { openSiteAuthority, type SiteAuthority } from './site-authority.js';

const DAY_MS = 86_400_000;
const siteId = newId();
let dataDir: string;
let now: Date;
const open = (site = siteId): Promise<SiteAuthority> => openSiteAuthority({ dataDir, siteId: site, clock: () => now });

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'kvorum-ca-'));
  now = new Date();
});
afterEach(() => rm(dataDir, { recursive: true }));

describe('the site authority', () => {
  it('is made once and found again, with a key that only its owner can read', async () => {
    const first = await open();
    expect((await open()).caCertificatePem).toBe(first.caCertificatePem);
    expect((await stat(join(dataDir, 'ca', 'ca.key'))).mode & 0o777).toBe(0o600);
    const der = new X509Certificate(first.caCertificatePem).raw;
    expect(first.caFingerprintSha256).toBe(createHash('sha256').update(der).digest('hex'));
  });

  it('is the same for processes that start at the same time, and leaves no drafts', async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => open()));
    expect(new Set(opened.map((authority) => authority.caFingerprintSha256)).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(['ca']);
  });

  it('refuses files of another site', async () => {
    await open();
    await expect(open(newId())).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('does not invent a certificate for a key that is there alone', async () => {
    await mkdir(join(dataDir, 'ca'));
    await writeFile(join(dataDir, 'ca', 'ca.key'), 'x');
    await expect(open()).rejects.toThrow();
    expect(await readdir(join(dataDir, 'ca'))).toEqual(['ca.key']);
  });

  it('signs a host in with the names we give it and no others, for 90 days', async () => {
    const authority = await open();
    const hostId = newId();
    const issued = await authority.signHostRequest(hostId, (await makeHostKey()).csrPem);
    const certificate = new X509Certificate(issued.certificatePem);
    expect(certificate.subject).toBe(`CN=${hostId}`);
    expect(certificate.subjectAltName).toBe(`DNS:${hostId}, URI:spiffe://kvorum/site/${siteId}/host/${hostId}`);
    expect(certificate.verify(new X509Certificate(authority.caCertificatePem).publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(issued.fingerprintSha256).toBe(certificate.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(issued.serial).toBe(certificate.serialNumber.toLowerCase());
    expect(Math.round((issued.expiresAt.getTime() - now.getTime()) / DAY_MS)).toBe(90);
  });

  it('keeps its own identity until a third of its life is left, and then renews it', async () => {
    const authority = await open();
    const first = await authority.identity();
    expect(new X509Certificate(first.certificatePem).subjectAltName).toBe(
      `DNS:control-plane, URI:spiffe://kvorum/site/${siteId}/control-plane`,
    );
    now = new Date(now.getTime() + 19 * DAY_MS);
    expect(await authority.identity()).toBe(first);
    now = new Date(now.getTime() + 2 * DAY_MS);
    const second = await authority.identity();
    expect(second).not.toBe(first);
    expect(second.expiresAt.getTime()).toBeGreaterThan(first.expiresAt.getTime());
  });
});

describe('a certificate request', () => {
  const refused = async (csrPem: string) =>
    expect((await open()).signHostRequest(newId(), csrPem)).rejects.toMatchObject({ code: 'invalid_request' });

  it.each([
    [
      'RSA',
      { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
    ],
    ['P-521', { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' }],
  ])('is refused for a key of %s', async (_, algorithm) => {
    await refused((await makeHostKey(algorithm)).csrPem);
  });

  it('is refused when it was changed after it was signed', async () => {
    const { csrPem } = await makeHostKey();
    const der = Buffer.from(csrPem.replace(/-----.*-----|\s/g, ''), 'base64');
    // The last byte is the end of the signature; a byte in the middle is part of the key.
    for (const index of [der.byteLength - 1, Math.floor(der.byteLength / 2)]) {
      const changed = Buffer.from(der);
      changed[index] = (changed[index] ?? 0) ^ 1;
      await refused(
        `-----BEGIN CERTIFICATE REQUEST-----\n${changed.toString('base64')}\n-----END CERTIFICATE REQUEST-----`,
      );
    }
  });

  it('is refused when it is too large, or two', async () => {
    const { csrPem } = await makeHostKey();
    await refused(csrPem + '\n'.repeat(10_000));
    await refused(csrPem + csrPem);
  });

  it('is refused as invalid_request whatever is sent', async () => {
    const authority = await open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
        await expect(authority.signHostRequest(newId(), pem)).rejects.toMatchObject({ code: 'invalid_request' });
      }),
    );
  });
});
