import type { ConsoleSessions } from '../console/console-sessions.js';
import type { CpuKeeper } from '../cpu/cpu-keeper.js';
import type { Identity } from '../enrol/identity.js';
import type { FreezeKeeper } from '../guest/freeze-keeper.js';
import type { GuestCommands } from '../guest/guest-commands.js';
import type { HostInventory } from '../host/host-inventory.js';
import type { ImageCache } from '../image/image-cache.js';
import type { Log } from '../log.js';
import type { ImageOffers } from '../move/image-offers.js';
import type { AgentNetworks } from '../network/open-networks.js';
import type { ReportWriter } from '../report/report-writer.js';
import type { StateFolders } from '../state/state-folders.js';
import type { MergeKeeper } from '../storage/merge-keeper.js';
import type { PoolKeeper } from '../storage/pool-keeper.js';
import type { TemplateStore } from '../template/template-store.js';
import type { VmDirectory } from '../vm/vm-directory.js';
import type { VmHost } from '../vm/vm-host.js';

/** What the RPCs hand their requests to. */
export interface AgentServices {
  readonly directory: VmDirectory;
  readonly images: ImageCache;
  readonly inventory: HostInventory;
  readonly writer: ReportWriter;
  readonly folders: StateFolders;
  readonly keeper: CpuKeeper;
  readonly consoles: ConsoleSessions;
  readonly commands: GuestCommands;
  readonly freezes: FreezeKeeper;
  readonly host: VmHost;
  readonly identity: Identity;
  readonly imageOffers: ImageOffers;
  /** What goes on now. */
  readonly moves: { receivingCount: number };
  readonly templates: TemplateStore;
  /** Null: this agent makes no networks. */
  readonly networks: AgentNetworks | null;
  readonly log: Log;
  readonly pools: PoolKeeper;
  readonly merges: MergeKeeper;
  /** Whose images are, on pools. */
  readonly siteId: string;
}
