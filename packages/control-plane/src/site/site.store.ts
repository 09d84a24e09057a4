import { newId } from '@kvorum/schema';
import type { Database } from '../database/database.js';

/** Nobody sees it yet: a control plane has one site. */
const SITE_NAME = 'default';

/** The site's id, made at the first start. Of several processes that start at once one makes it and all read it. */
export async function ensureSite(database: Database): Promise<string> {
  await database.$executeRaw`
    INSERT INTO sites (id, name) VALUES (${newId()}::uuid, ${SITE_NAME}) ON CONFLICT DO NOTHING`;
  const site = await database.site.findFirstOrThrow();
  return site.id;
}
