import type { AgentDirectory } from './agents/agent-port.js';
import type { Database } from './database/database.js';
import type { EventSignal } from './event/event-signal.store.js';
import type { FleetSnapshot } from './host/fleet-snapshot.js';
import type { ImageStore } from './image/image-store.js';
import type { ImageSources } from './image/public-address.js';
import type { Logger } from './logger.js';
import type { Bell } from './operations/bell.js';
import type { SecretBox } from './site/secret-box.js';
import type { SiteAuthority } from './site/site-authority.js';

export type { Actor } from './actor.js';
export type { Logger } from './logger.js';

/** All that use cases, operations and reconcilers work with. Made by openControlPlane, one per process. */
export interface ControlPlane {
  readonly database: Database;
  readonly bell: Bell;
  readonly agents: AgentDirectory;
  readonly authority: SiteAuthority;
  readonly secrets: SecretBox;
  readonly images: ImageStore;
  readonly imageSources: ImageSources;
  readonly siteId: string;
  readonly fleet: FleetSnapshot;
  readonly eventSignal: EventSignal;
  /** Where agents dial in, host:port; handed out at enrolment. */
  readonly gatewayAddress: string;
  /** Where hosts enrol, host:port; part of the command an admin is shown. */
  readonly enrolAddress: string;
  readonly log: Logger;
  clock(): Date;
}

export interface ControlPlaneConfig {
  readonly databaseUrl: string;
  /** The bell hangs on Redis if set, else on PostgreSQL. */
  readonly redisUrl?: string;
  /** Holds the CA, the key of secrets and the images; made if it is missing. */
  readonly dataDir: string;
  /** Files that `importImage` may read. */
  readonly importDir: string;
  /** Default: any public server. */
  readonly imageSources?: ImageSources;
  readonly gatewayAddress: string;
  readonly enrolAddress: string;
  readonly log: Logger;
  /** Database connections of this process. */
  readonly poolSize?: number;
}

/** A key under which a mutation is done once, with the hash of the request it stands for. */
export interface Idempotency {
  readonly key: string;
  readonly requestSha256: Buffer;
}
