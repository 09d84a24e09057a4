import { afterAll, beforeAll, describe } from 'vitest';
import { type DebianSite, HOOK_MS_MAX, openDebianSite } from './debian-site.js';
import { networkCases } from './network-cases.js';
import { powerLossCases } from './power-loss-cases.js';
import { volumeCases } from './volume-cases.js';

/** Two hosts and a whole Debian on each, booted once for all of these. Needs root, and minutes. */
describe.skipIf(process.getuid?.() !== 0)('two Debian guests with cloud-init on two hosts', () => {
  let opened: DebianSite;
  beforeAll(async () => {
    opened = await openDebianSite();
  }, HOOK_MS_MAX);
  afterAll(async () => {
    await opened?.close();
  }, HOOK_MS_MAX);

  networkCases(() => opened);
  volumeCases(() => opened);
  powerLossCases(() => opened);
});
