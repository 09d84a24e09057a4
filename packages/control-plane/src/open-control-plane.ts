import { GrpcAgentDirectory } from './agents/agent-directory.js';
import type { ControlPlane, ControlPlaneConfig } from './control-plane.js';
import { openDatabase } from './database/database.js';
import { migrateDatabase } from './database/migrate.js';
import { ListeningEventSignal } from './event/event-signal.store.js';
import { readFleetChanges, TraitSets } from './host/fleet.store.js';
import { DatabaseFleetSnapshot } from './host/fleet-snapshot.js';
import { findTrustedFingerprints } from './host/host.store.js';
import { openImageStore } from './image/image-store.js';
import { IMAGE_SOURCES_DEFAULT } from './image/public-address.js';
import { openBell } from './operations/bullmq-bell.js';
import { ensureDefaultProject } from './project/default-project.js';
import { openSecretBox } from './site/secret-box.js';
import { ensureSite } from './site/site.store.js';
import { openSiteAuthority } from './site/site-authority.js';

/** Ordinary requests hold a connection for some ms; more than PostgreSQL has cores to work with adds only waiting. */
const POOL_SIZE_DEFAULT = 20;
/** The fleet is read while transactions that need it hold theirs: from the common pool they could wait for each other. */
const FLEET_POOL_SIZE = 1;

const closers = new WeakMap<ControlPlane, () => Promise<void>>();

/**
 * Migrates the database, makes the site, its CA and its default project if this is the first start, and opens everything
 * that use cases need. Several processes may do so at once. Throws `unavailable` if PostgreSQL or the bell's server cannot
 * be reached, `conflict_state` if the data folder is of another site; then nothing is left open.
 */
export async function openControlPlane(config: ControlPlaneConfig): Promise<ControlPlane> {
  const { databaseUrl, dataDir, importDir, log } = config;
  await migrateDatabase(databaseUrl);
  const opened: (() => Promise<unknown>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of opened.splice(0).reverse()) {
      await close().catch((error: unknown) =>
        log.warn({ err: error }, 'a part of the control plane did not close cleanly'),
      );
    }
  };
  try {
    const clock = (): Date => new Date();
    const database = openDatabase(databaseUrl, config.poolSize ?? POOL_SIZE_DEFAULT);
    opened.push(() => database.$disconnect());
    const fleetDatabase = openDatabase(databaseUrl, FLEET_POOL_SIZE);
    opened.push(() => fleetDatabase.$disconnect());
    const siteId = await ensureSite(database);
    await ensureDefaultProject(database, clock());
    const authority = await openSiteAuthority({ dataDir, siteId, clock });
    const secrets = await openSecretBox(dataDir);
    const images = await openImageStore({ dataDir, importDir });
    const bell = await openBell({ databaseUrl, redisUrl: config.redisUrl, log });
    opened.push(() => bell.close());
    const agents = new GrpcAgentDirectory(authority, (hostId) => findTrustedFingerprints(database, hostId));
    opened.push(() => agents.close());
    const eventSignal = new ListeningEventSignal(databaseUrl, log);
    opened.push(() => eventSignal.close());
    const traitSets = new TraitSets();
    const fleet = new DatabaseFleetSnapshot((...asked) => readFleetChanges(fleetDatabase, traitSets, ...asked));
    const { gatewayAddress, enrolAddress } = config;
    const imageSources = config.imageSources ?? IMAGE_SOURCES_DEFAULT;
    const parts = {
      database,
      bell,
      agents,
      authority,
      secrets,
      images,
      imageSources,
      siteId,
      fleet,
      eventSignal,
      log,
      clock,
    };
    const cp: ControlPlane = { ...parts, gatewayAddress, enrolAddress };
    closers.set(cp, closeAll);
    return cp;
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Closes what openControlPlane has opened. Workers and reconcilers are to be closed before. */
export async function closeControlPlane(cp: ControlPlane): Promise<void> {
  await closers.get(cp)?.();
}
