// (a) How long a decision takes by the number of hosts, half full, beside a bare best-fit scan of two typed arrays in the same run.
// CPU time is the process's, garbage collection included: on a machine that others use too it says more than time by the clock.
// Usage: npm run bench:scheduler [-- --quick]   (after a build)
import { chooseReserving, place, planNuma } from '@kvorum/scheduler';
import { percentile, printTable } from '../percentiles.mjs';
import { fullRequest, madeFleet, plainRequest, randomOf } from './made-fleet.mjs';

const isQuick = process.argv.includes('--quick');
const HOST_COUNTS = isQuick ? [100, 1000, 10_000] : [100, 1000, 10_000, 50_000];
const DECISION_COUNT = isQuick ? 300 : 2000;
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

const rows = [];
for (const hostCount of HOST_COUNTS) {
  const fleet = madeFleet(hostCount);
  for (const [kind, { requestOf, decide, settler }] of Object.entries(KINDS)) {
    const random = randomOf(11);
    const samples = [];
    const cpuSamples = [];
    const settle = settler?.();
    let placedCount = 0;
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
    const meanUs = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
    rows.push({
      hosts: hostCount,
      decision: kind,
      'p50 us': percentile(samples, 0.5).toFixed(1),
      'p99 us': percentile(samples, 0.99).toFixed(1),
      'cpu p50 us': percentile(cpuSamples, 0.5),
      'cpu p99 us': percentile(cpuSamples, 0.99),
      'per second': Math.round(1e6 / meanUs),
      placed: `${Math.round((100 * placedCount) / samples.length)} %`,
    });
  }
}
printTable(rows);
