import type { IncomingMessage } from 'node:http';
import { METADATA_ADDRESS } from '@kvorum/schema';
import { answerMetadata, type Instance } from './answer-metadata.js';
import { type MetadataTokens, TOKEN_SECONDS_MAX } from './metadata-tokens.js';

export interface MetadataAnswer {
  readonly status: 200 | 400 | 401 | 403 | 404 | 405;
  readonly body: string;
}

const TOKEN_PATH = '/latest/api/token';
const TOKEN_HEADER = 'x-aws-ec2-metadata-token';
const TTL_HEADER = `${TOKEN_HEADER}-ttl-seconds`;
const HOSTS = [METADATA_ADDRESS, `${METADATA_ADDRESS}:80`];

const refusal = (status: MetadataAnswer['status'], body: string): MetadataAnswer => ({ status, body: `${body}\n` });

/**
 * Answers a guest, of itself alone. A program in it that fetches whatever URL it is given must not be made to fetch this: that takes a PUT
 * with a header first and its answer as a header afterwards, under our own name, and not through a proxy (decision 38).
 */
export function handleRequest(
  { method, url = '', headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
  asked: { readonly networkId: string; readonly instance: Instance | null; readonly nowMs: number },
  tokens: MetadataTokens,
): MetadataAnswer {
  const { networkId, instance, nowMs } = asked;
  if (headers['x-forwarded-for'] !== undefined) return refusal(403, 'not through a proxy');
  if (!HOSTS.includes(headers.host ?? '')) return refusal(400, `ask http://${METADATA_ADDRESS}/`);
  if (instance === null) return refusal(404, 'nothing is kept for this VM: it was made without cloud-init');
  const asker = { networkId, address: instance.address, instanceId: instance.instanceId };
  const path = url.split('?', 1)[0] ?? '';
  if (path === TOKEN_PATH) {
    if (method !== 'PUT') return refusal(405, 'PUT is needed');
    const ttl = String(headers[TTL_HEADER] ?? '');
    const seconds = /^\d{1,5}$/.test(ttl) ? Number(ttl) : 0;
    if (seconds < 1 || seconds > TOKEN_SECONDS_MAX) return refusal(400, `${TTL_HEADER}: 1 to ${TOKEN_SECONDS_MAX}`);
    return { status: 200, body: tokens.issue(asker, seconds, nowMs) };
  }
  if (method !== 'GET') return refusal(405, 'GET is needed');
  const token = headers[TOKEN_HEADER];
  if (typeof token !== 'string' || !tokens.isGood(token, asker, nowMs)) {
    return refusal(401, `${TOKEN_HEADER}: get one by PUT ${TOKEN_PATH}`);
  }
  const body = answerMetadata(path, instance);
  return body === null ? refusal(404, 'there is no such thing') : { status: 200, body };
}
