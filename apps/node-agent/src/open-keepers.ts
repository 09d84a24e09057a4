import { BalloonKeeper } from './balloon/balloon-keeper.js';
import type { PressureSource } from './balloon/host-pressure.js';
import type { AgentConfig } from './config.js';
import { CpuKeeper } from './cpu/cpu-keeper.js';
import type { HostCpus } from './cpu/host-cpus.js';
import { OverheadMeter } from './cpu/overhead-meter.js';
import type { Log } from './log.js';
import { GuestPoller } from './report/guest-poller.js';
import { MergeKeeper } from './storage/merge-keeper.js';
import type { PoolKeeper } from './storage/pool-keeper.js';
import { MonitorWatch } from './vm/monitor-watch.js';
import type { VmActor } from './vm/vm-actor.js';

/** What looks after a host's VMs in rounds of its own, beside what is asked for them. */
export interface Keepers {
  readonly guests: GuestPoller;
  readonly monitors: MonitorWatch;
  readonly keeper: CpuKeeper;
  readonly overheads: OverheadMeter;
  readonly balloons: BalloonKeeper;
  readonly merges: MergeKeeper;
}

export interface KeeperOptions {
  readonly actors: () => readonly VmActor[];
  readonly onChange: (vmId: string) => void;
  readonly cpus: HostCpus;
  readonly pressure: PressureSource;
  readonly pools: PoolKeeper;
  readonly config: Pick<AgentConfig, 'mergeBytesPerSecond'>;
  readonly log: Log;
}

export const openKeepers = ({ actors, onChange, cpus, pressure, pools, config, log }: KeeperOptions): Keepers => ({
  guests: new GuestPoller(actors, onChange, log),
  monitors: new MonitorWatch(actors, log),
  keeper: new CpuKeeper({ actors, cpus, onChange, log }),
  overheads: new OverheadMeter(actors, log),
  balloons: new BalloonKeeper({ actors, pressure, onChange, log }),
  merges: new MergeKeeper({ actors, pools, bytesPerSecond: config.mergeBytesPerSecond, log }),
});
