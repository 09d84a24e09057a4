// One process of placement-races.mjs: creates VMs as fast as it can and counts the proposals that lost their race.
import { closeControlPlane, createVm, openControlPlane } from '@kvorum/control-plane';
import { VmHardware } from '@kvorum/schema';

const bench = JSON.parse(process.env.BENCH);
const cp = await openControlPlane({
  databaseUrl: bench.databaseUrl,
  dataDir: bench.dataDir,
  importDir: `${bench.dataDir}/import`,
  gatewayAddress: '127.0.0.1:1',
  enrolAddress: '127.0.0.1:1',
  log: { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields) },
});
const actor = { tokenId: bench.tokenId, tokenName: 'bench', role: 'admin', projectId: null };
let proposedCount = 0;
let lostCount = 0;
const counting = {
  ...cp,
  fleet: {
    claimsSettled: () => cp.fleet.claimsSettled(),
    propose: async (...args) => {
      const proposal = await cp.fleet.propose(...args);
      if (proposal.kind === 'refused') return proposal;
      proposedCount += 1;
      return {
        ...proposal,
        settle: (end) => {
          if (end === 'given up') lostCount += 1;
          proposal.settle(end);
        },
      };
    },
  },
};
const create = (n) =>
  createVm(counting, actor, {
    name: `vm-${process.pid}-${n}`,
    projectId: bench.projectIds[n % bench.projectIds.length],
    flavorId: bench.flavorId,
    imageId: bench.imageId,
    hardware: VmHardware.parse({}),
    start: false,
    labels: {},
    highAvailability: false,
  });

await create(0);
process.send('ready');
await new Promise((resolve) => process.once('message', resolve));
const cpuBefore = process.cpuUsage();
const timesMs = [];
let next = 0;
const until = performance.now() + bench.measuredMs;
await Promise.all(
  Array.from({ length: bench.concurrency }, async () => {
    while (performance.now() < until) {
      const from = performance.now();
      next += 1;
      await create(next);
      timesMs.push(performance.now() - from);
    }
  }),
);
const { user, system } = process.cpuUsage(cpuBefore);
process.send({ timesMs, proposedCount, lostCount, cpuMs: (user + system) / 1000 });
await closeControlPlane(cp);
process.disconnect();
