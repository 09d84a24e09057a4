import { afterAll, it } from 'vitest';
import { openBtrfs } from './file-systems.js';
import { describePool } from './pool.contract.js';

const btrfs = openBtrfs();
afterAll(() => btrfs?.remove());

if (btrfs !== null) describePool('dir', 'Btrfs', btrfs, true);
// Named among what was skipped; a line before says what is missing.
else it.skip('a dir pool on Btrfs (needs mkfs.btrfs and leave to mount)');
