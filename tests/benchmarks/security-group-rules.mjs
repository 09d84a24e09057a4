// What it takes to apply security groups: rendering and loading all rules of a host anew, beside `nft -f` of as many plain rules that
// were written by hand into one chain, in the same network namespace and run. Usage: npm run bench:rules  (as root, after a build)
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { renderRuleset } from '@kvorum/host-network';
import { ms, percentile, printTable } from './percentiles.mjs';

const ROUNDS = 30;
const PORTS_PER_HOST = 20;
const idOf = (last) => `019a0000-0000-7000-8000-${String(last).padStart(12, '0')}`;
const ANY = { protocol: 'any', portMin: null, portMax: null, cidr: null, peerGroupId: null };
const [NETWORK, GROUP, PEER] = [1, 2, 3].map(idOf);
const cidrOf = (index) => `10.${index % 200}.0.0/16`;

/** Every third rule names a group, the others ranges. */
const ruleOf = (index) => ({
  ...ANY,
  direction: 'ingress',
  protocol: 'tcp',
  portMin: 1000 + index,
  portMax: 1000 + index,
  ...(index % 3 === 0 ? { peerGroupId: PEER } : { cidr: cidrOf(index) }),
});
const places = Array.from({ length: PORTS_PER_HOST }, (_, index) => `10.20.0.${index + 2}`);
const members = places.map((address) => ({ networkId: NETWORK, address }));
const desiredOf = (ruleCount) => ({
  hostAddress: '192.0.2.1',
  resolvers: [],
  networks: [
    {
      ...{ id: NETWORK, kind: 'vxlan', segmentId: 4096, peers: [], otherNames: [], mtu: 1450 },
      ...{ cidr: '10.20.0.0/24', gateway: '10.20.0.1', dnsDomain: 'a.internal' },
      ports: places.map((address, index) => ({
        ...{ id: idOf(100 + index), name: null, address, securityGroupIds: [GROUP] },
        macAddress: `52:54:00:00:00:${String(index + 10)}`,
      })),
    },
  ],
  securityGroups: [
    { id: GROUP, members, rules: Array.from({ length: ruleCount }, (_, index) => ruleOf(index)) },
    { id: PEER, members, rules: [] },
  ],
});
const plainRules = (ruleCount) => {
  const rules = Array.from(
    { length: ruleCount },
    (_, index) => `ip saddr ${cidrOf(index)} tcp dport ${1000 + index} accept\n`,
  );
  return `table inet plain\ndelete table inet plain\ntable inet plain {\nchain plain_rules {\ntype filter hook forward priority filter;\n${rules.join('')}}\n}\n`;
};

const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep infinity'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
await once(holder.stdout, 'data');
const load = (input) => execFileSync('nsenter', ['--target', String(holder.pid), '--net', 'nft', '-f', '-'], { input });
const timed = (run) => {
  const before = performance.now();
  run();
  return performance.now() - before;
};
try {
  const rows = [];
  for (const ruleCount of [10, 1000]) {
    const desired = desiredOf(ruleCount);
    const samples = { ours: [], plain: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      samples.ours.push(timed(() => load(renderRuleset(desired))));
      samples.plain.push(timed(() => load(plainRules(ruleCount))));
    }
    const [ours, plain] = [percentile(samples.ours, 0.5), percentile(samples.plain, 0.5)];
    rows.push({
      rules: ruleCount,
      'host rules, p50': ms(ours),
      p99: ms(percentile(samples.ours, 0.99)),
      'plain rules, p50': ms(plain),
      ratio: (ours / plain).toFixed(2),
    });
  }
  printTable(rows);
} finally {
  holder.kill('SIGKILL');
}
