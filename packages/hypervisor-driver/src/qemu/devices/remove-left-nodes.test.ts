import { DomainError } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { Ask } from './machine-change.js';
import { removeLeftNodes } from './remove-left-nodes.js';

const NODE = `d-${'0'.repeat(28)}`;
const LIMITS = 'limit-019a0000-0000-7000-8000-000000000001';
const inUse = (what: string) => new DomainError('host_fault', `QEMU refused it: ${what} is in use`);

/** A monitor that has one node and its limits left, and refuses each removal as told. */
function monitorThatRefuses(refusals: Error[]): { ask: Ask; removed: string[] } {
  const removed: string[] = [];
  const answers: Record<string, unknown> = {
    'query-named-block-nodes': [
      { name: NODE, sizeBytes: 1 },
      { name: 'root-limit', sizeBytes: 1 },
    ],
    'qom-list': ['limit-root', LIMITS, 'memory-0'],
  };
  const ask = async (name: string, args?: Record<string, string>) => {
    if (name in answers) return answers[name];
    const refusal = refusals.shift();
    if (refusal !== undefined) throw refusal;
    removed.push(args?.['node-name'] ?? args?.['id'] ?? '');
    return undefined;
  };
  return { ask: ask as Ask, removed };
}

describe('what a removed disk leaves', () => {
  it('is removed once its card has let go of it', async () => {
    const { ask, removed } = monitorThatRefuses([inUse(`Node ${NODE}`), inUse(`object '${LIMITS}'`)]);
    await removeLeftNodes({ ask, disks: [], guestTimeoutMs: 60_000 });
    expect(removed).toEqual([NODE, LIMITS]);
  });

  it('is told of when it stays in use', async () => {
    const { ask, removed } = monitorThatRefuses([inUse(`Node ${NODE}`)]);
    await expect(removeLeftNodes({ ask, disks: [], guestTimeoutMs: 0 })).rejects.toMatchObject({
      code: 'conflict_state',
    });
    expect(removed).toEqual([]);
  });

  it('that cannot be removed for another reason is a fault at once', async () => {
    const { ask } = monitorThatRefuses([new DomainError('host_fault', 'QEMU refused it: no such node')]);
    await expect(removeLeftNodes({ ask, disks: [], guestTimeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'host_fault',
    });
  });
});
