import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { KvorumError } from '@kvorum/client';
import type { CliEnvironment } from './cli-environment.js';
import { usageError } from './usage-error.js';

export interface Login {
  readonly baseUrl: string;
  readonly token: string;
}

const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

/** Where to call and with which token: the environment goes before what `kvorum login` has stored. */
export function readLogin(environment: CliEnvironment): Login {
  const stored = environment.url === undefined || environment.tokenFile === undefined ? readStored(environment) : null;
  const baseUrl = environment.url ?? stored?.baseUrl;
  const token = environment.tokenFile === undefined ? stored?.token : readTokenFile(environment.tokenFile);
  if (baseUrl === undefined || token === undefined) {
    throw new KvorumError({
      code: 'unauthenticated',
      status: null,
      detail: 'not logged in',
      remedy: 'Run `kvorum login http://host:7080`, or set KVORUM_URL and KVORUM_TOKEN_FILE.',
    });
  }
  return { baseUrl, token };
}

/** The first line of a file that holds an API token. */
export function readTokenFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`the token file ${path} cannot be read (${codeOf(error)})`, 'Check the path and its permissions.');
  }
  return firstLineOf(text, `the token file ${path}`);
}

/** Refuses what cannot be a token before it is sent anywhere; a header holds no line end or other control character. */
export function firstLineOf(text: string, source: string): string {
  const line = text.split(/\r?\n/, 1)[0]?.trim() ?? '';
  if (!/^[\x21-\x7e]+$/.test(line)) {
    throw usageError(`${source} holds no token`, 'Give an API token as it was printed: kvt1_… on one line.');
  }
  return line;
}

/** Written beside and renamed: another kvorum never reads half a file, and it is never readable to others. */
export function storeLogin({ loginFile }: CliEnvironment, login: Login): void {
  mkdirSync(dirname(loginFile), { recursive: true, mode: OWNER_ONLY_FOLDER });
  const fresh = `${loginFile}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify({ url: login.baseUrl, token: login.token })}\n`, { mode: OWNER_ONLY_FILE });
  // The mode above does not apply to a file that was there already.
  chmodSync(fresh, OWNER_ONLY_FILE);
  renameSync(fresh, loginFile);
}

export const forgetLogin = ({ loginFile }: CliEnvironment): void => rmSync(loginFile, { force: true });

function readStored({ loginFile }: CliEnvironment): Login | null {
  let text: string;
  try {
    text = readFileSync(loginFile, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw usageError(`${loginFile} cannot be read (${codeOf(error)})`, 'Check its permissions, or log in again.');
  }
  const { url, token } = parseFields(text);
  if (typeof url === 'string' && typeof token === 'string') return { baseUrl: url, token };
  throw usageError(`${loginFile} is damaged`, 'Log in again: it will be written anew.');
}

function parseFields(text: string): { url?: unknown; token?: unknown } {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? error);
