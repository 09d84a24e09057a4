import type { Placement } from '@kvorum/client';
import { describe, expect, it } from 'vitest';
import { ok, openDouble, page, problem } from './double.js';
import { AT, aVm, GIB, idOf } from './shapes.js';

const SCORE = { total: 1.25, parts: { accelerator: 1, pack: 0.25 } };
const aPlacement = (changes: Partial<Placement> = {}): Placement => ({
  id: idOf(20),
  outcome: 'placed',
  projectId: idOf(9),
  vmId: idOf(1),
  vmName: 'web-1',
  hostId: idOf(4),
  requestedBy: 'ci',
  createdAt: AT,
  decision: {
    outcome: 'placed',
    summary: 'placed on host-a: the best of 1 that fit, of 2 hosts',
    needed: {
      vcpuCount: 2,
      memoryBytes: 2 * GIB,
      diskBytes: 20 * GIB,
      dedicatedCpuCount: 0,
      hugePages2MibBytes: 0,
      hugePages1GibBytes: 0,
      accelerator: null,
      hostId: null,
    },
    inputDigest: null,
    contradictions: [],
    hostCount: 2,
    candidateCount: 1,
    rejections: [{ filter: 'capacity-memory', rejected: 1 }],
    chosen: { hostId: idOf(4), hostName: 'host-a', score: SCORE },
    margin: null,
    verdicts: [
      { hostId: idOf(4), hostName: 'host-a', fits: true, score: SCORE, objections: [] },
      {
        hostId: idOf(5),
        hostName: 'host-b',
        fits: false,
        score: null,
        objections: [
          { filter: 'capacity-memory', reason: 'needs 2 GiB of memory, 1 GiB free', needed: 2 * GIB, free: GIB },
        ],
      },
    ],
    omittedVerdictCount: 0,
    relaxation: null,
    remedies: [],
    isLimited: false,
  },
  ...changes,
});

describe('kvorum vm explain', () => {
  it('shows the newest decision about a VM: counts by filter, then a verdict per host', async () => {
    const { run, calls } = await openDouble({ 'GET /v1/vms': page(aVm()), 'GET /v1/placements': page(aPlacement()) });
    expect((await run('vm explain web-1')).stdout).toMatchInlineSnapshot(`
      "id            019a0000-0000-7000-8000-000000000020
      VM            web-1
      outcome       placed
      requested by  ci
      created       2026-01-02T03:04:05.000Z
      summary  placed on host-a: the best of 1 that fit, of 2 hosts
      needed   2 vCPUs, 2 GiB memory, 20 GiB disk
      hosts    2, of which 1 fit
      host     host-a
      score    1.250 = accelerator 1.000 + pack 0.250

      FILTER           HOSTS REFUSED
      capacity-memory  1

      HOST    FITS  SCORE  WHY NOT
      host-a  yes   1.250  -
      host-b  no    -      needs 2 GiB of memory, 1 GiB free
      "
    `);
    expect(calls.at(-1)?.query).toEqual({ vmId: idOf(1), limit: '1' });
  });

  it('points to the refusals when nothing is kept about the VM', async () => {
    const { run } = await openDouble({ 'GET /v1/placements': page() });
    const { exitCode, stderr } = await run(`vm explain ${idOf(1)}`);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('kvorum placement list --outcome refused');
  });
});

describe('kvorum placement', () => {
  it('simulates VMs with the machine that vm create would ask for', async () => {
    const simulated = { outcome: 'placed', decisions: [aPlacement().decision] };
    const { run, calls } = await openDouble({ 'POST /v1/placements/simulate': ok(simulated) });
    const { exitCode, stdout } = await run(
      `placement simulate --flavor ${idOf(2)} --count 3 --root-disk 40GiB --disk 10GiB --cpu-policy dedicated --numa-nodes 2 --huge-pages 2MiB --secure-boot --tpm --max-memory 8GiB`,
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain('host-a');
    expect(calls[0]?.body).toEqual({
      mode: 'best-effort',
      vms: [
        {
          flavorId: idOf(2),
          count: 3,
          rootDiskBytes: 40 * GIB,
          hardware: {
            cpuPolicy: { policy: 'dedicated' },
            memory: { numaNodeCount: 2, hugePageBytes: 2 ** 21 },
            firmware: { kind: 'uefi', secureBoot: true, tpm: '2.0' },
            devices: { maxMemoryBytes: 8 * GIB, dataDisks: [{ sizeBytes: 10 * GIB }] },
          },
        },
      ],
    });
  });

  it('lists decisions and prints one as the API answered', async () => {
    const { run, calls } = await openDouble({
      'GET /v1/placements': page(aPlacement()),
      [`GET /v1/placements/${idOf(20)}`]: ok(aPlacement()),
    });
    expect((await run('placement list --outcome refused')).stdout).toContain('web-1  placed   host-a  ci');
    expect(calls[0]?.query).toMatchObject({ outcome: 'refused' });
    expect(JSON.parse((await run(`placement get ${idOf(20)} -o json`)).stdout)).toEqual(aPlacement());
  });

  it('replays a decision and says whether it comes out the same', async () => {
    const replay = {
      placementId: idOf(20),
      isSame: true,
      differences: [],
      replayedHostCount: 2,
      isComplete: true,
      decision: aPlacement().decision,
    };
    const { run } = await openDouble({ [`POST /v1/placements/${idOf(20)}/replay`]: ok(replay) });
    expect((await run(`placement replay ${idOf(20)}`)).stdout).toMatch(/^same result +yes$/m);
  });

  it('is where an error about a refusal points to', async () => {
    const { run } = await openDouble({
      'POST /v1/vms': problem(507, 'no_capacity', '0 of 2 hosts fit', { details: { placementId: idOf(20) } }),
    });
    const { stderr } = await run(`vm create a --flavor ${idOf(2)} --image ${idOf(3)}`);
    expect(stderr).toContain(`explained by: kvorum placement get ${idOf(20)}`);
  });
});
