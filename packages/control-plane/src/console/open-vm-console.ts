import { type ConsoleKind, DomainError, type TokenId, type VmId } from '@kvorum/schema';
import type { ConsoleStream } from '../agents/agent-port.js';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { findActiveActor } from '../token/authenticate.js';
import { agentOfVm } from '../vm/agent-of-vm.js';
import { getVm } from '../vm/vms.js';
import { consumeConsoleToken } from './console-token.store.js';
import { hashConsoleSecret } from './create-console-token.js';

export interface ConsoleDemand {
  readonly vmId: VmId;
  readonly kind: ConsoleKind;
  readonly secret: string;
  readonly backlogBytes: number;
}

export interface OpenVmConsole {
  readonly stream: ConsoleStream;
  readonly actor: Actor;
}

/**
 * Opens a console for whoever holds a token for it, once. Throws unauthenticated, always with the same text, for a token that is not
 * good for this; and what opening it throws, when the token is used up all the same.
 */
export async function openVmConsole(
  cp: ControlPlane,
  { vmId, kind, secret, backlogBytes }: ConsoleDemand,
): Promise<OpenVmConsole> {
  const secretSha256 = hashConsoleSecret(secret);
  const tokenId = secretSha256 === null ? null : await consume(cp, secretSha256, vmId, kind);
  const actor = tokenId === null ? null : await findActiveActor(cp, tokenId);
  if (actor === null) {
    throw new DomainError('unauthenticated', 'the console token is unknown, used, expired or for another console');
  }
  const vm = await getVm(cp, actor, vmId);
  const stream = await (await agentOfVm(cp, vm)).openConsole(vmId, kind, backlogBytes);
  try {
    await withTransaction(cp.database, (tx) =>
      recordEvent(tx, {
        type: 'vm.console',
        projectId: vm.projectId,
        resourceKind: 'vm',
        resourceId: vmId,
        data: { kind, by: actor.tokenName ?? actor.tokenId },
      }),
    );
    return { stream, actor };
  } catch (error) {
    stream.close();
    throw error;
  }
}

const consume = (cp: ControlPlane, hash: Buffer, vmId: VmId, kind: ConsoleKind): Promise<TokenId | null> =>
  withTransaction(cp.database, (tx) => consumeConsoleToken(tx, hash, vmId, kind, cp.clock()));

/** Whether the session may go on: the API token behind it is good still, and sees the VM. */
export async function mayKeepConsole(cp: ControlPlane, actor: Actor, vmId: VmId): Promise<boolean> {
  const present = await findActiveActor(cp, actor.tokenId);
  if (present === null) return false;
  try {
    await getVm(cp, present, vmId);
    return true;
  } catch (error) {
    // Only what is gone ends a session: a database that is away for a moment does not.
    return !(error instanceof DomainError && error.code === 'not_found');
  }
}
