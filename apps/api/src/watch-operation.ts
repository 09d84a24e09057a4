import { setTimeout as delay } from 'node:timers/promises';
import { type Actor, type ControlPlane, getOperation, waitForEvents } from '@kvorum/control-plane';
import { isFinalOperationState, type Operation } from '@kvorum/schema';
import { canonicalJson } from './canonical-json.js';
import type { ServerEvent } from './event-stream.js';

/** Progress is written without an event, so it is asked for at least this often. */
const POLL_MS_MAX = 1000;
/** Events of other objects wake us too; between two looks there is at least this. */
const POLL_MS_MIN = 200;

/** The states of an operation from `first` until it has ended. Never fails for want of a change. */
export async function* watchOperation(
  cp: ControlPlane,
  actor: Actor,
  first: Operation,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  let seen = first;
  yield { event: 'operation', data: seen };
  while (!isFinalOperationState(seen.state) && !signal.aborted) {
    await Promise.all([
      waitForEvents(cp, signal, POLL_MS_MAX),
      delay(POLL_MS_MIN, undefined, { signal }).catch(() => {}),
    ]);
    if (signal.aborted) return;
    const now = await getOperation(cp, actor, seen.id);
    const change = changeBetween(seen, now);
    if (change !== null) yield change;
    seen = now;
  }
}

export function changeBetween(before: Operation, after: Operation): ServerEvent | null {
  const withoutProgress = (operation: Operation) => canonicalJson({ ...operation, progress: null });
  if (withoutProgress(before) !== withoutProgress(after)) return { event: 'operation', data: after };
  if (canonicalJson(before.progress) !== canonicalJson(after.progress))
    return { event: 'progress', data: after.progress };
  return null;
}
