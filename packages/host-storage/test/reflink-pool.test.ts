import { afterAll, describe } from 'vitest';
import { openBtrfs } from './file-systems.js';
import { describePool } from './pool.contract.js';

const btrfs = openBtrfs();
afterAll(() => btrfs?.remove());

if (btrfs !== null) describePool('dir', 'Btrfs', btrfs, true);
else describe.skip('a dir pool on Btrfs', () => undefined);
