import { DomainError, type FlavorId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { countTemplatesWith } from '../vm-template/vm-template.store.js';
import { lockFlavorAndCountVms, markFlavorDeleted } from './flavor.store.js';

/** Throws not_found, and in_use while a VM or a template has the flavor. */
export async function deleteFlavor(cp: ControlPlane, actor: Actor, flavorId: FlavorId): Promise<void> {
  requireWholeSite(actor);
  await withTransaction(cp.database, async (tx) => {
    const vmCount = await lockFlavorAndCountVms(tx, flavorId);
    if (vmCount === null) throw notFound('the flavor');
    if (vmCount > 0) {
      throw new DomainError('in_use', `${vmCount} VMs have this flavor; delete them first`, { details: { vmCount } });
    }
    const templateCount = await countTemplatesWith(tx, 'flavor_id', flavorId);
    if (templateCount > 0) {
      const message = `${templateCount} templates have this flavor; delete them first`;
      throw new DomainError('in_use', message, { details: { templateCount } });
    }
    await markFlavorDeleted(tx, flavorId, cp.clock());
  });
}
