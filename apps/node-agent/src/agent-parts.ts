import type { HostCpus } from './cpu/host-cpus.js';
import type { Keepers } from './open-keepers.js';
import type { LeaseRecord } from './report/lease-record.js';
import type { ReportStream } from './report/report-stream.js';
import type { AgentServices } from './rpc/agent-services.js';

/** What an agent is made of. */
export interface AgentParts extends Keepers, AgentServices {
  readonly cpus: HostCpus;
  readonly stream: ReportStream;
  readonly lease: LeaseRecord;
}
