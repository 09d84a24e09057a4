import { newId, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ConsoleSessions } from '../src/console/console-sessions.js';
import { MortalHost } from './mortal-host.js';
import { MIB } from './simulated-host.js';

const SESSION_MS = 100;
const vmId = newId<'VmId'>();
const demand = { vmId, kind: 'serial', backlogBytes: 0 } as const;

let host: MortalHost;
let sessions: ConsoleSessions;
beforeEach(async () => {
  host = await MortalHost.create(vmId);
  const actor = await host.start();
  const intent = (generation: number) => ({ vmId, generation, fencingToken: 1, epoch: 1, operationId: newId() });
  const rootVolumeId = newId<'VolumeId'>();
  const image = { volumeId: rootVolumeId, sizeBytes: 16 * MIB, imageSha256: 'ab'.repeat(32) };
  await actor.ensureDisk(intent(1), image);
  const size = { vcpuCount: 1, memoryBytes: 64 * MIB, accelerator: 'tcg' } as const;
  const spec = {
    name: 'web',
    ...size,
    balloon: null,
    hardware: PLAIN_HARDWARE,
    cloudInit: null,
    rootVolumeId,
    templateId: null,
    pooledVolumes: [],
  };
  await actor.ensureVm(intent(2), spec, { power: 'running', reset: false });
  sessions = new ConsoleSessions({ find: (id) => (id === vmId ? actor : null) }, host.folders, {
    sessionMs: SESSION_MS,
  });
});
afterEach(() => host.remove());

it('a console session ends, and says why, when it has lasted as long as one may; its seat is free then', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => sessions.open(demand)));
  await expect(sessions.open(demand)).rejects.toMatchObject({ code: 'rate_limited' });
  for (const session of all) {
    for await (const _ of session.output);
    expect(session.signal.reason).toBe('the session has lasted as long as one may');
  }
  const next = await sessions.open(demand);
  next.close('enough');
  for await (const _ of next.output);
  expect(next.signal.reason).toBe('enough');
});

it('no session begins while the agent shuts down', async () => {
  sessions.close();
  await expect(sessions.open(demand)).rejects.toMatchObject({ code: 'unavailable' });
});
