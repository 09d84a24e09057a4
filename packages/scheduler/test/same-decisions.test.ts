import { describe, expect, it } from 'vitest';
import { chooseFrom } from '../src/choose-host.js';
import type { HostGroup } from '../src/fleet/host-row.js';
import { dropHost, hostSetOf, membersOf } from '../src/fleet/host-set.js';
import { LABEL } from '../src/fleet/labels.js';
import { chooseHost, type Fleet, type PlacedVm, type PlacementRequest, place, planNuma } from '../src/index.js';
import { type Trial, tried } from '../src/plan/trial.js';
import { scanHosts } from '../src/scan-hosts.js';
import { haReserveTrialOf } from '../src/what-if/ha-reserve-trial.js';
import { firstLoss, nextLoss } from '../src/what-if/losses.js';
import { largestFirst, requestToMove } from '../src/what-if/recover-vms.js';
import { seeds } from './case-count.js';
import { Random } from './random.js';
import { History } from './random-history.js';

const cases = seeds({ all: 200, share: 15 });
const STEP_COUNT = 30;

/** Lives through each history; `look` sees each request before it is decided. */
function live(look: (history: History, request: PlacementRequest, name: string) => void): void {
  for (const seed of cases) {
    const history = new History(new Random(seed));
    for (let step = 0; step < STEP_COUNT; step += 1) {
      const request = history.nextRequest();
      look(history, request, `case ${seed}, step ${step}`);
      const placement = place(request, history.fleet);
      if (placement.kind === 'placed') history.settle(request, placement.hostId, placement.numa);
      history.happen();
    }
  }
}

/** The choice with every filter and score asked of every host. */
const plainChoice = (request: PlacementRequest, fleet: Fleet, within = allHosts(fleet)): number | null =>
  chooseFrom(scanHosts(request, fleet, { within }))?.index ?? null;

const allHosts = (fleet: Fleet) => hostSetOf(fleet.hostCount).fill(-1);

/** The reserve said plainly: on the fleet itself, loss by loss, VM by VM. */
function plainObjection(request: PlacementRequest, fleet: Fleet, group: HostGroup, index: number): string | null {
  const hosts = [...membersOf(fleet.labels.of(LABEL.hostGroup(group.hostGroupId)))];
  return tried(fleet, (trial) => {
    if (request.vmId !== undefined) trial.vacate(request.vmId);
    const numa = planNuma(fleet, index, request);
    trial.occupy({ vmId: '\u0000newcomer', hostId: fleet.hostIds[index] as string, request, numa });
    const lost = firstLoss(group.haReserveHostCount);
    do {
      const names = lost.map((at) => hosts[at] as number);
      const stranded = tried(fleet, (inner) => plainlyStranded(inner, hosts, names));
      if (stranded === undefined) continue;
      const name = stranded.vmId.startsWith('\u0000') ? 'this VM' : `VM ${stranded.vmId}`;
      const lostNames = names.map((at) => fleet.names[at]).join(' and ');
      const kept = `host group ${group.hostGroupId} keeps room for the loss of any ${group.haReserveHostCount} of its ${hosts.length} hosts`;
      return `${kept}: if ${lostNames} were lost, ${name} would find no place in it`;
    } while (nextLoss(lost, hosts.length));
    return null;
  });
}

function plainlyStranded(trial: Trial, hosts: readonly number[], lost: readonly number[]): PlacedVm | undefined {
  const { fleet } = trial;
  const gone = lost.flatMap((index) => fleet.vms.onHost(fleet.hostIds[index] as string));
  for (const { vmId } of gone) trial.vacate(vmId);
  const within = hostSetOf(fleet.hostCount);
  for (const index of hosts) within[index >>> 5] = (within[index >>> 5] as number) | (1 << (index & 31));
  for (const index of lost) dropHost(within, index);
  return largestFirst(gone.filter((vm) => vm.request.isHighlyAvailable === true)).find((vm) => {
    const request = requestToMove(vm);
    const target = plainChoice(request, fleet, within);
    if (target === null) return true;
    const numa = planNuma(fleet, target, request);
    trial.occupy({ ...vm, hostId: fleet.hostIds[target] as string, numa });
    return false;
  });
}

describe('what is kept and passed over for speed changes no decision', () => {
  it('chooses the host that every filter and score asked of every host would choose', () => {
    live(({ fleet }, request, name) => {
      const some = hostSetOf(fleet.hostCount).fill(0x35f3);
      expect([name, chooseHost(request, fleet)]).toEqual([name, plainChoice(request, fleet)]);
      expect([name, chooseHost(request, fleet, { within: some })]).toEqual([name, plainChoice(request, fleet, some)]);
    });
  }, 600_000);

  it('finds the objections to a VM that trying each loss on the fleet finds', () => {
    let objections = 0;
    live(({ fleet }, request, name) => {
      for (const group of fleet.hostGroups.values()) {
        const hosts = membersOf(fleet.labels.of(LABEL.hostGroup(group.hostGroupId)));
        if (group.haReserveHostCount === 0 || hosts.length <= group.haReserveHostCount) continue;
        for (const index of hosts.slice(0, 3)) {
          const objection = haReserveTrialOf(fleet, group).objection(request, index);
          expect([name, objection]).toEqual([name, plainObjection(request, fleet, group, index)]);
          if (objection !== null) objections += 1;
        }
      }
    });
    expect(objections).toBeGreaterThan(cases.length);
  }, 600_000);

  it('decides on a fleet with a past as on the same fleet without one, record and all', () => {
    live((history, request, name) => {
      const { record } = place(request, history.fleet);
      expect([name, record]).toEqual([name, place(request, history.withoutPast()).record]);
    });
  }, 600_000);
});
