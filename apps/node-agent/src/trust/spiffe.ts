import 'reflect-metadata';
import { SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509';
import { z } from 'zod';

/** Names of the parties in their certificates (SPIFFE ID, a URI in the subject alternative names). */
export const controlPlaneSpiffeId = (siteId: string): string => `spiffe://kvorum/site/${siteId}/control-plane`;
export const hostSpiffeId = (siteId: string, hostId: string): string => `spiffe://kvorum/site/${siteId}/host/${hostId}`;

/** The host of a site that a SPIFFE id names, or null. */
export function hostOfSpiffeId(siteId: string, spiffeId: string): string | null {
  const hostId = spiffeId.slice(hostSpiffeId(siteId, '').length);
  return z.uuid().safeParse(hostId).success && spiffeId === hostSpiffeId(siteId, hostId) ? hostId : null;
}

const CONTROL_PLANE_PATTERN = /^spiffe:\/\/kvorum\/site\/([0-9a-f-]{36})\/control-plane$/;

/** The site of a control plane's SPIFFE id, or null if it is not one. */
export function siteOfControlPlane(spiffeId: string): string | null {
  const siteId = CONTROL_PLANE_PATTERN.exec(spiffeId)?.[1];
  return siteId !== undefined && z.uuid().safeParse(siteId).success ? siteId : null;
}

/**
 * The SPIFFE id of a certificate (DER), or null. The extension is parsed, not the text that OpenSSL makes of it: a text
 * can be forged with a name that holds separators. More than one URI is no identity (SPIFFE X509-SVID, section 2).
 */
export function spiffeIdOf(certificateDer: Uint8Array): string | null {
  const names = new X509Certificate(new Uint8Array(certificateDer)).getExtension(
    SubjectAlternativeNameExtension,
  )?.names;
  const uris = (names?.items ?? []).filter((name) => name.type === 'url').map((name) => name.value);
  return uris.length === 1 ? (uris[0] ?? null) : null;
}
