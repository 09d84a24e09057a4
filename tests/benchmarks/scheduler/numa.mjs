// (d) Requests with NUMA nodes, affinity and fault domains on hosts with two nodes: how many get a place, beside first fit, best fit
// and worst fit under the same rules. Rules assumed: `affinity` keeps a group in one rack, `anti-affinity` on different hosts;
// VMs of one group in different fault domains are in different racks. vCPUs are host CPUs, not shared.
// Usage: npm run bench:numa -- <folder of the data> [--quick]   (after a build)
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { chooseHost, Fleet, NO_AMOUNTS, planNuma } from '@kvorum/scheduler';
import { printTable } from '../percentiles.mjs';

const GIB = 1024 ** 3;
const QUICK_COUNT = 800;
const folder = process.argv[2];
if (folder === undefined || folder.startsWith('--')) {
  console.error('usage: npm run bench:numa -- <folder of the data> [--quick]');
  process.exit(2);
}
const isQuick = process.argv.includes('--quick');
const readCsv = (file) =>
  readFileSync(path.join(folder, file), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(','));

const racks = readCsv('topology_provider.csv').map(([, rack]) => `rack-${rack}`);
const hosts = readCsv('PM_res.csv').map((cells, at) => {
  const [cpu0, gib0, cpu1, gib1] = cells.map(Number);
  return {
    rack: racks[at],
    nodes: [
      { cpus: cpu0, gib: gib0 },
      { cpus: cpu1, gib: gib1 },
    ],
  };
});
const rackNames = [...new Set(hosts.map(({ rack }) => rack))];
const requestsOf = (file) =>
  readCsv(file)
    .slice(0, isQuick ? QUICK_COUNT : undefined)
    .map(([cpus, gib, nodeCount, strategy, group, domain]) => ({
      cpus: Number(cpus),
      gib: Number(gib),
      nodeCount: Number(nodeCount),
      strategy,
      key: strategy === '' ? null : `${strategy}-${group}`,
      domain,
    }));

/** Where the members of each group are: what a request's rules are read from. */
class Groups {
  #members = new Map();
  of({ key }) {
    return key === null ? [] : (this.#members.get(key) ?? []);
  }
  add(request, host) {
    if (request.key !== null) this.#members.set(request.key, [...this.of(request), { host, domain: request.domain }]);
  }
  admits(request, host) {
    const members = this.of(request);
    if (request.strategy === 'anti-affinity') return members.every((member) => member.host !== host);
    const { rack } = hosts[host];
    if (request.strategy === 'affinity' || request.strategy === 'collocation')
      return members.every((member) => hosts[member.host].rack === rack);
    return members.every((member) => member.domain === request.domain || hosts[member.host].rack !== rack);
  }
}

/** Two nodes per host as plain lists; `order` puts hosts that fit into an order, the first is taken. */
function plain(score) {
  const free = hosts.map(({ nodes }) => nodes.map((node) => ({ ...node })));
  const fitting = (nodes, { cpus, gib, nodeCount }) =>
    nodes.filter((node) => node.cpus >= cpus / nodeCount && node.gib >= gib / nodeCount);
  return {
    choose(request, groups) {
      let best = -1;
      let least = Number.POSITIVE_INFINITY;
      for (const [host, nodes] of free.entries()) {
        if (fitting(nodes, request).length < request.nodeCount || !groups.admits(request, host)) continue;
        const value = score(nodes.reduce((sum, node) => sum + node.cpus + node.gib / 2, 0));
        if (value < least) {
          least = value;
          best = host;
        }
      }
      return best;
    },
    take(host, request) {
      const { cpus, gib, nodeCount } = request;
      for (const node of fitting(free[host], request).slice(0, nodeCount)) {
        node.cpus -= cpus / nodeCount;
        node.gib -= gib / nodeCount;
      }
    },
  };
}

function engine() {
  const fleet = new Fleet(
    hosts.map(({ rack, nodes }, at) => {
      const cpus = nodes[0].cpus + nodes[1].cpus;
      const memoryBytes = (nodes[0].gib + nodes[1].gib) * GIB;
      return {
        hostId: `host-${String(at).padStart(5, '0')}`,
        name: `h${at}`,
        state: 'active',
        connectivity: 'connected',
        accelerator: 'kvm',
        capacity: { ...NO_AMOUNTS, vcpuCount: cpus, memoryBytes, dedicatedCpuCount: cpus },
        reserved: NO_AMOUNTS,
        domains: { rack },
        numaNodes: nodes.map((node) => ({
          memoryBytes: node.gib * GIB,
          dedicatedCpuCount: node.cpus,
          hugePages2MibBytes: 0,
          hugePages1GibBytes: 0,
        })),
      };
    }),
    {
      placementGroups: ['affinity', 'collocation', 'anti-affinity'].flatMap((strategy) =>
        Array.from({ length: 2000 }, (_, at) => ({
          groupId: `${strategy}-${at}`,
          kind: strategy === 'anti-affinity' ? strategy : 'affinity',
          level: strategy === 'anti-affinity' ? 'host' : 'rack',
          strength: 'hard',
        })),
      ),
    },
  );
  let ordinal = 0;
  const asked = ({ cpus, gib, nodeCount, strategy, key, domain }, groups) => {
    const taken = new Set(
      groups
        .of({ key })
        .filter((member) => member.domain !== domain)
        .map((member) => hosts[member.host].rack),
    );
    return {
      ...NO_AMOUNTS,
      vcpuCount: cpus,
      dedicatedCpuCount: cpus,
      memoryBytes: gib * GIB,
      numaNodeCount: nodeCount,
      accelerator: null,
      hostId: null,
      excludedHostIds: [],
      ...(strategy === '' || strategy === 'fault_domain' ? {} : { groupIds: [key] }),
      ...(strategy === 'fault_domain' && taken.size > 0
        ? { domains: { rack: rackNames.filter((rack) => !taken.has(rack)) } }
        : {}),
    };
  };
  return {
    choose: (request, groups) => chooseHost(asked(request, groups), fleet) ?? -1,
    take(host, request, groups) {
      const full = asked(request, groups);
      ordinal += 1;
      fleet.occupy({
        vmId: `vm-${ordinal}`,
        hostId: fleet.hostIds[host],
        request: full,
        numa: planNuma(fleet, host, full),
      });
    },
  };
}

const RULES = {
  'first fit': () => plain(() => 0),
  'best fit': () => plain((free) => free),
  'worst fit': () => plain((free) => -free),
  kvorum: engine,
};

const rows = [];
const share = (part, of) => `${((100 * part) / of).toFixed(2)} %`;
for (const file of ['VM_data_C1.csv', 'VM_data_C2.csv', 'VM_data_C3.csv']) {
  const requests = requestsOf(file);
  const one = requests.filter(({ nodeCount }) => nodeCount === 1).length;
  const bound = requests.filter(({ key }) => key !== null).length;
  for (const [rule, make] of Object.entries(RULES)) {
    const begin = performance.now();
    const competitor = make();
    const groups = new Groups();
    const placed = { all: 0, one: 0, bound: 0, cpus: 0 };
    for (const request of requests) {
      const host = competitor.choose(request, groups);
      if (host < 0) continue;
      if (!groups.admits(request, host)) throw new Error(`${rule} broke the rule of ${request.key}`);
      competitor.take(host, request, groups);
      groups.add(request, host);
      placed.all += 1;
      placed.cpus += request.cpus;
      if (request.nodeCount === 1) placed.one += 1;
      if (request.key !== null) placed.bound += 1;
    }
    rows.push({
      data: file,
      rule,
      placed: share(placed.all, requests.length),
      'within one node, of those that ask': share(placed.one, one),
      'affinity kept, of those that have one': share(placed.bound, bound),
      'vCPUs placed': share(
        placed.cpus,
        requests.reduce((sum, { cpus }) => sum + cpus, 0),
      ),
      seconds: ((performance.now() - begin) / 1000).toFixed(2),
    });
  }
}
printTable(rows);
