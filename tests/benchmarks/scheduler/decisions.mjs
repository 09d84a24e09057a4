// (a) How long a decision takes by the number of hosts, half full, beside a bare best-fit scan of two typed arrays in the same run.
// CPU time is the process's, garbage collection included: on a machine that others use too it says more than time by the clock.
// Of several rounds of the same requests, each percentile is the lowest: what others on the machine add is left out, garbage is not.
// Usage: npm run bench:scheduler [-- --quick]   (after a build)
import { PerformanceObserver } from 'node:perf_hooks';
import { chooseReserving, place, planNuma } from '@kvorum/scheduler';
import { percentile, printTable } from '../percentiles.mjs';
import { fullRequest, madeFleet, plainRequest, randomOf } from './made-fleet.mjs';

const isQuick = process.argv.includes('--quick');
const HOST_COUNTS = isQuick ? [100, 1000, 10_000] : [100, 1000, 10_000, 50_000];
const DECISION_COUNT = isQuick ? 300 : 2000;
const ROUND_COUNT = isQuick ? 2 : 4;
const WARM_UP_COUNT = 200;
const PLACED_COUNT_MAX = 64;
const US_PER_MS = 1000;

/** The least that any scheduler that looks at every host must do: two comparisons and a sum. */
function bareScan(fleet, request) {
  const { vcpuCount, memoryBytes } = fleet.free;
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < fleet.hostCount; index += 1) {
    if (vcpuCount[index] < request.vcpuCount || memoryBytes[index] < request.memoryBytes) continue;
    const left = vcpuCount[index] + memoryBytes[index] / 4e9;
    if (left < least) {
      least = left;
      best = index;
    }
  }
  return best;
}

/** Puts each VM where it was to go, and takes it away again a while later: decisions are then on a fleet that changes. */
function settlerOf() {
  const placed = [];
  let count = 0;
  return (fleet, request, index) => {
    if (placed.length === PLACED_COUNT_MAX) fleet.vacate(placed.shift());
    if (index === null) return;
    const vmId = `placed-${count}`;
    count += 1;
    fleet.occupy({ vmId, hostId: fleet.hostIds[index], request, numa: planNuma(fleet, index, request) });
    placed.push(vmId);
  };
}

const KINDS = {
  'bare best-fit scan': { requestOf: plainRequest, decide: (fleet, request) => bareScan(fleet, request) },
  'amounts only': { requestOf: plainRequest, decide: (fleet, request) => chooseReserving(request, fleet) },
  'all filters': { requestOf: fullRequest, decide: (fleet, request) => chooseReserving(request, fleet) },
  'all filters, with its record': { requestOf: fullRequest, decide: (fleet, request) => place(request, fleet) },
  'all filters, each placed': {
    requestOf: fullRequest,
    decide: (fleet, request) => chooseReserving(request, fleet),
    settler: settlerOf,
  },
};

let collectingMs = 0;
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collectingMs += duration;
});
observer.observe({ entryTypes: ['gc'] });
const tick = () => new Promise((resolve) => setTimeout(resolve));

async function round(fleet, { requestOf, decide, settler }) {
  const random = randomOf(11);
  const settle = settler?.();
  const samples = [];
  const cpuSamples = [];
  let placedCount = 0;
  await tick();
  const collectedMs = collectingMs;
  const from = performance.now();
  for (let at = -WARM_UP_COUNT; at < DECISION_COUNT; at += 1) {
    const request = requestOf(random);
    const cpuBegin = process.cpuUsage();
    const begin = performance.now();
    const decision = decide(fleet, request);
    const tookUs = (performance.now() - begin) * US_PER_MS;
    const cpu = process.cpuUsage(cpuBegin);
    settle?.(fleet, request, decision);
    if (at < 0) continue;
    samples.push(tookUs);
    cpuSamples.push(cpu.user + cpu.system);
    if (decision !== null && decision !== -1 && decision.kind !== 'refused') placedCount += 1;
  }
  const tookMs = performance.now() - from;
  await tick();
  return { samples, cpuSamples, placedCount, collecting: (collectingMs - collectedMs) / tookMs };
}

const rows = [];
for (const hostCount of HOST_COUNTS) {
  const fleet = madeFleet(hostCount);
  for (const [decision, kind] of Object.entries(KINDS)) {
    const rounds = [];
    for (let at = 0; at < ROUND_COUNT; at += 1) rounds.push(await round(fleet, kind));
    const least = (name, share) => Math.min(...rounds.map((one) => percentile(one[name], share)));
    rows.push({
      hosts: hostCount,
      decision,
      'p50 us': least('samples', 0.5).toFixed(1),
      'p99 us': least('samples', 0.99).toFixed(1),
      'p99.9 us': least('samples', 0.999).toFixed(1),
      'cpu p50 us': least('cpuSamples', 0.5),
      'cpu p99 us': least('cpuSamples', 0.99),
      'cpu p99.9 us': least('cpuSamples', 0.999),
      'collecting garbage': `${(100 * Math.min(...rounds.map(({ collecting }) => collecting))).toFixed(1)} %`,
      placed: `${Math.round((100 * rounds[0].placedCount) / DECISION_COUNT)} %`,
    });
  }
}
observer.disconnect();
printTable(rows);
