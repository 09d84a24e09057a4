// (c) Hosts needed and what is stranded on them, on the arrivals and lifetimes of a real cloud, beside first fit, best fit, worst
// fit and dot product written plainly, and the fractional lower bound. No one is told a lifetime in advance, but for one rule that
// is told all of them: it shows how much there is to be had by guessing them.
// Usage: npm run bench:packing -- <folder of the trace> [--quick] [--chart=<file.svg>]   (after a build)
import { writeFileSync } from 'node:fs';
import { chooseHost, Fleet, NO_AMOUNTS } from '@kvorum/scheduler';
import { printTable } from '../percentiles.mjs';
import { BIN_SECONDS, readAzureTrace } from './azure-trace.mjs';
import { drawChart } from './draw-chart.mjs';

const GIB = 1024 ** 3;
const SHAPES = [
  { vcpuCount: 48, memoryBytes: 112 * GIB },
  { vcpuCount: 96, memoryBytes: 224 * GIB },
];
/** The trace begins with no VMs; averages are over what comes after its first day. */
const WARM_UP_SECONDS = 86_400;
const QUICK_SHARE = 0.15;

const folder = process.argv[2];
if (folder === undefined || folder.startsWith('--')) {
  console.error('usage: npm run bench:packing -- <folder of the trace> [--quick] [--chart=<file.svg>]');
  process.exit(2);
}
const isQuick = process.argv.includes('--quick');
const chart = process.argv.find((argument) => argument.startsWith('--chart='))?.slice('--chart='.length);

/** The hosts as two plain columns. The least of `score` is taken; an empty host only where no other fits. */
class PlainHosts {
  constructor(shape, hostCount) {
    this.shape = shape;
    this.vcpus = new Float64Array(hostCount).fill(shape.vcpuCount);
    this.memory = new Float64Array(hostCount).fill(shape.memoryBytes);
    this.counts = new Int32Array(hostCount);
  }
  choose(vm) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    let firstEmpty = -1;
    for (let host = 0; host < this.counts.length; host += 1) {
      if (this.vcpus[host] < vm.vcpuCount || this.memory[host] < vm.memoryBytes) continue;
      if (this.counts[host] === 0) {
        if (firstEmpty < 0) firstEmpty = host;
        continue;
      }
      const score = this.score(vm, host);
      if (score < least) {
        least = score;
        best = host;
      }
    }
    return best < 0 ? firstEmpty : best;
  }
  freeShares(host) {
    return { vcpus: this.vcpus[host] / this.shape.vcpuCount, memory: this.memory[host] / this.shape.memoryBytes };
  }
  take(host, vm, sign) {
    this.vcpus[host] -= sign * vm.vcpuCount;
    this.memory[host] -= sign * vm.memoryBytes;
    this.counts[host] += sign;
  }
}

class FirstFit extends PlainHosts {
  choose(vm) {
    for (let host = 0; ; host += 1) {
      if (host === this.counts.length) return -1;
      if (this.vcpus[host] >= vm.vcpuCount && this.memory[host] >= vm.memoryBytes) return host;
    }
  }
}

class BestFit extends PlainHosts {
  score(_vm, host) {
    const { vcpus, memory } = this.freeShares(host);
    return vcpus + memory;
  }
}

class WorstFit extends BestFit {
  score(vm, host) {
    return -super.score(vm, host);
  }
}

class DotProduct extends PlainHosts {
  score(vm, host) {
    const { vcpus, memory } = this.freeShares(host);
    return -(vcpus * (vm.vcpuCount / this.shape.vcpuCount) + memory * (vm.memoryBytes / this.shape.memoryBytes));
  }
}

/** Tells the rule that knows them apart: what outlives this is not told apart. */
const FORESEEN_SECONDS = 4 * 86_400;
const LONGER_WEIGHT = 10;

/** Prefers the host that has its last VM for the least time longer, then the fullest; knows when each VM ends, as nobody does. */
class ToldHosts extends PlainHosts {
  constructor(shape, hostCount) {
    super(shape, hostCount);
    this.endSeconds = new Float64Array(hostCount);
    this.vms = Array.from({ length: hostCount }, () => new Set());
  }
  score(vm, host) {
    const longerSeconds = Math.max(0, foreseenEnd(vm) - this.endSeconds[host]);
    return (LONGER_WEIGHT * longerSeconds) / FORESEEN_SECONDS + this.freeShares(host).memory;
  }
  take(host, vm, sign) {
    super.take(host, vm, sign);
    if (sign > 0) this.vms[host].add(vm);
    else this.vms[host].delete(vm);
    this.endSeconds[host] = Math.max(0, ...[...this.vms[host]].map(foreseenEnd));
  }
}
const foreseenEnd = ({ atSeconds, endSeconds }) => Math.min(endSeconds, atSeconds + FORESEEN_SECONDS);

/** Kvorum's engine as the control plane asks it. */
class Engine {
  constructor(shape, hostCount) {
    const rows = Array.from({ length: hostCount }, (_, at) => ({
      hostId: `host-${String(at).padStart(5, '0')}`,
      name: `h${at}`,
      state: 'active',
      connectivity: 'connected',
      accelerator: 'kvm',
      capacity: { ...NO_AMOUNTS, ...shape },
      reserved: NO_AMOUNTS,
    }));
    this.fleet = new Fleet(rows);
  }
  choose(vm) {
    return (
      chooseHost(
        { ...NO_AMOUNTS, ...amountsOf(vm), accelerator: null, hostId: null, excludedHostIds: [] },
        this.fleet,
      ) ?? -1
    );
  }
  take(host, vm, sign) {
    this.fleet.reserve(this.fleet.hostIds[host], { ...NO_AMOUNTS, ...amountsOf(vm) }, -sign);
  }
}
const amountsOf = ({ vcpuCount, memoryBytes }) => ({ vcpuCount, memoryBytes });

const RULES = {
  'first fit': (shape, hostCount) => new FirstFit(shape, hostCount),
  'best fit': (shape, hostCount) => new BestFit(shape, hostCount),
  'worst fit': (shape, hostCount) => new WorstFit(shape, hostCount),
  'dot product': (shape, hostCount) => new DotProduct(shape, hostCount),
  'told lifetimes': (shape, hostCount) => new ToldHosts(shape, hostCount),
  kvorum: (shape, hostCount) => new Engine(shape, hostCount),
};

/** Departures in the order of their times: a binary heap. */
class Departures {
  #heap = [];
  get nextSeconds() {
    return this.#heap[0]?.vm.endSeconds ?? Number.POSITIVE_INFINITY;
  }
  add(entry) {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0 && heap[(at - 1) >> 1].vm.endSeconds > heap[at].vm.endSeconds) {
      const parent = (at - 1) >> 1;
      [heap[parent], heap[at]] = [heap[at], heap[parent]];
      at = parent;
    }
  }
  take() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      let child = 2 * at + 1;
      if (child >= heap.length) return first;
      if (child + 1 < heap.length && heap[child + 1].vm.endSeconds < heap[child].vm.endSeconds) child += 1;
      if (heap[at].vm.endSeconds <= heap[child].vm.endSeconds) return first;
      [heap[at], heap[child]] = [heap[child], heap[at]];
      at = child;
    }
  }
}

/** Plays the trace and samples after each bin of 300 s. */
function play(vms, shape, hosts) {
  const departures = new Departures();
  const countOn = new Map();
  const samples = [];
  const used = { vcpuCount: 0, memoryBytes: 0 };
  const count = (host, vm, sign) => {
    hosts.take(host, vm, sign);
    used.vcpuCount += sign * vm.vcpuCount;
    used.memoryBytes += sign * vm.memoryBytes;
    const on = (countOn.get(host) ?? 0) + sign;
    if (on === 0) countOn.delete(host);
    else countOn.set(host, on);
  };
  let next = 0;
  const lastSeconds = vms.at(-1).atSeconds;
  for (let now = vms[0].atSeconds; now <= lastSeconds; now += BIN_SECONDS) {
    while (departures.nextSeconds <= now) {
      const { vm, host } = departures.take();
      count(host, vm, -1);
    }
    for (; next < vms.length && vms[next].atSeconds <= now; next += 1) {
      const vm = vms[next];
      const host = hosts.choose(vm);
      if (host < 0) throw new Error('the made fleet is too small for this rule');
      count(host, vm, 1);
      if (vm.endSeconds < Number.POSITIVE_INFINITY) departures.add({ vm, host });
    }
    const bound = Math.max(used.vcpuCount / shape.vcpuCount, used.memoryBytes / shape.memoryBytes);
    const held = { vcpus: countOn.size * shape.vcpuCount, memory: countOn.size * shape.memoryBytes };
    samples.push({
      seconds: now - vms[0].atSeconds,
      hosts: countOn.size,
      bound,
      vcpus: used.vcpuCount / held.vcpus,
      memory: used.memoryBytes / held.memory,
    });
  }
  return samples;
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const all = readAzureTrace(folder);
const vms = isQuick ? all.slice(0, Math.floor(all.length * QUICK_SHARE)) : all;
const rows = [];
const series = [];
for (const shape of SHAPES) {
  const size = `${shape.vcpuCount} / ${shape.memoryBytes / GIB}`;
  const results = Object.entries(RULES).map(([rule, make]) => {
    const begin = performance.now();
    const samples = play(vms, shape, make(shape, isQuick ? 400 : Math.ceil(69_000 / shape.vcpuCount)));
    return { rule, samples, tookSeconds: (performance.now() - begin) / 1000 };
  });
  const peakOf = ({ samples }) => Math.max(...samples.map(({ hosts }) => hosts));
  const bestFit = results.find(({ rule }) => rule === 'best fit');
  const fleetSize = peakOf(bestFit);
  const settled = ({ samples }) => samples.filter(({ seconds }) => isQuick || seconds >= WARM_UP_SECONDS);
  const emptyPoints = (result) => 100 * mean(settled(result).map(({ hosts }) => (fleetSize - hosts) / fleetSize));
  for (const result of results) {
    const late = settled(result);
    const peakBound = Math.max(...result.samples.map(({ bound }) => bound));
    rows.push({
      'host cores / GiB': size,
      rule: result.rule,
      'hosts needed': peakOf(result),
      'x lower bound': (peakOf(result) / peakBound).toFixed(4),
      'x bound, mean over time': mean(late.map(({ hosts, bound }) => hosts / bound)).toFixed(4),
      'idle cores of used hosts': `${(100 * (1 - mean(late.map(({ vcpus }) => vcpus)))).toFixed(1)} %`,
      'idle memory': `${(100 * (1 - mean(late.map(({ memory }) => memory)))).toFixed(1)} %`,
      'empty hosts, points above best fit': (emptyPoints(result) - emptyPoints(bestFit)).toFixed(2),
      seconds: result.tookSeconds.toFixed(1),
    });
    if (shape === SHAPES[0])
      series.push({ name: result.rule, points: result.samples.map(({ seconds, vcpus }) => [seconds / 3600, vcpus]) });
  }
}
console.log(`${vms.length} VMs over ${((vms.at(-1).atSeconds - vms[0].atSeconds) / 3600).toFixed(1)} hours`);
printTable(rows);
if (chart !== undefined) {
  writeFileSync(
    chart,
    drawChart({ title: 'Cores in use on hosts that have VMs, 48-core hosts', x: 'hours', y: 'share', series }),
  );
  console.log(`chart: ${chart}`);
}
