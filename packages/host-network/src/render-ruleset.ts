import type { DesiredNetworks } from './desired-networks.js';
import { renderPortGuard } from './render-port-guard.js';
import { renderSecurityGroups } from './render-security-groups.js';

/** Naming a table before deleting it makes it be there to be deleted. */
const NOTHING = ['bridge kvorum', 'inet kvorum', 'ip kvorum_nat']
  .map((table) => `table ${table}\ndelete table ${table}\n`)
  .join('');

/** All rules of the host, for one `nft -f`: the old ones are replaced by the new ones in one moment, or not at all. */
export const renderRuleset = (desired: DesiredNetworks): string =>
  desired.networks.length === 0 ? NOTHING : `${renderPortGuard(desired.networks)}${renderSecurityGroups(desired)}`;
