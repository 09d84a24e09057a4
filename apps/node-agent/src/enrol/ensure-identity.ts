import { DomainError } from '@kvorum/schema';
import type { AgentConfig } from '../config.js';
import type { Log } from '../log.js';
import type { StateFolders } from '../state/state-folders.js';
import { enrolHost } from './enrol-host.js';
import { type Identity, loadIdentity } from './identity.js';
import { readJoinToken } from './join-token.js';

/** The identity that was kept, or a new one for a join token. Throws `invalid_request` when there is neither. */
export async function ensureIdentity(
  config: AgentConfig,
  folders: StateFolders,
  agentAddress: string,
  log: Log,
  signal: AbortSignal,
): Promise<Identity> {
  const saved = await loadIdentity(folders.identity);
  if (saved !== null) return saved;
  const { joinFile, enrolAddress, name } = config;
  if (joinFile === undefined || enrolAddress === undefined || name === undefined) {
    throw new DomainError('invalid_request', 'this host is not enrolled: give joinFile, enrolAddress and name');
  }
  const token = await readJoinToken(joinFile);
  const identity = await enrolHost({
    folder: folders.identity,
    token,
    enrolAddress,
    hostName: name,
    agentAddress,
    log,
    signal,
  });
  log.info({ hostId: identity.hostId, name }, 'this host has joined its site');
  return identity;
}
