import { DomainError, type Host, type HostId, type ListHostsQuery, type Page } from '@kvorum/schema';
import type { z } from 'zod';
import type { Actor, ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { loseTemplates } from '../vm-template/observe-templates.store.js';
import { findHost, findHosts, moveHost, revokeCertificates } from './host.store.js';

/** `ifMatch`: the generation the caller has seen; anything else is precondition_failed. */
export interface ChangeOptions {
  readonly ifMatch?: number | undefined;
}

export async function listHosts(
  cp: ControlPlane,
  actor: Actor,
  query: z.infer<typeof ListHostsQuery>,
): Promise<Page<Host>> {
  requireWholeSite(actor);
  const filter = { state: query.state, connectivity: query.connectivity, name: query.name };
  return pageOfRows(await findHosts(cp.database, filter, pageBounds(query)), query);
}

export async function getHost(cp: ControlPlane, actor: Actor, hostId: HostId): Promise<Host> {
  requireWholeSite(actor);
  return present(await findHost(cp.database, hostId));
}

/** No new VM is placed on a cordoned host; those that are there stay. Cordoning again changes the reason. */
export function cordonHost(
  cp: ControlPlane,
  actor: Actor,
  hostId: HostId,
  reason: string,
  options: ChangeOptions = {},
): Promise<Host> {
  const move = { from: ['active', 'cordoned'], to: 'cordoned', cordonReason: reason } as const;
  return change(cp, actor, hostId, { ...move, ...options });
}

export function uncordonHost(
  cp: ControlPlane,
  actor: Actor,
  hostId: HostId,
  options: ChangeOptions = {},
): Promise<Host> {
  const move = { from: ['active', 'cordoned'], to: 'active', cordonReason: null } as const;
  return change(cp, actor, hostId, { ...move, ...options });
}

/**
 * Refuses the host's certificates from now on, in both directions. What runs there may go on running: its VMs keep their
 * reservations. The way back is a new enrolment.
 */
export function revokeHost(cp: ControlPlane, actor: Actor, hostId: HostId): Promise<Host> {
  return change(
    cp,
    actor,
    hostId,
    { from: ['active', 'cordoned', 'revoked'], to: 'revoked', cordonReason: null },
    async (tx) => {
      await revokeCertificates(tx, hostId, 'the host was revoked', cp.clock());
      await loseTemplates(tx, hostId, { presentIds: [], reason: 'its host was revoked', settledMs: 0 });
    },
  );
}

type Move = Omit<Parameters<typeof moveHost>[2], 'ifMatch'> & ChangeOptions;

async function change(
  cp: ControlPlane,
  actor: Actor,
  hostId: HostId,
  move: Move,
  also?: (tx: Tx) => Promise<void>,
): Promise<Host> {
  requireWholeSite(actor);
  return withTransaction(cp.database, async (tx) => {
    const before = present(await findHost(tx, hostId));
    // Asked for what is there already: nothing changes, and the generation stays.
    if (before.state === move.to && before.cordonReason === move.cordonReason) return before;
    const isMoved = await moveHost(tx, hostId, { ...move, ifMatch: move.ifMatch });
    const host = present(await findHost(tx, hostId));
    if (!isMoved) throw refusal(host, move);
    await also?.(tx);
    await recordEvent(tx, {
      type: 'host.state',
      projectId: null,
      resourceKind: 'host',
      resourceId: hostId,
      data: { name: host.name, from: before.state, to: host.state, reason: host.cordonReason, by: actor.tokenName },
    });
    return host;
  });
}

function refusal(host: Host, move: Move): DomainError {
  if (move.ifMatch !== undefined && host.generation !== move.ifMatch) {
    return new DomainError('precondition_failed', `the host is at generation ${host.generation}`, {
      details: { generation: host.generation },
    });
  }
  return new DomainError('conflict_state', `a ${host.state} host cannot become ${move.to}; enrol it anew`);
}

function present(host: Host | null): Host {
  if (host === null) throw notFound('the host');
  return host;
}
