import { afterAll, it } from 'vitest';
import { describeDirectory } from './directory.contract.js';
import { directoryKit } from './directory-kit.js';
import { openBtrfs } from './file-systems.js';

const btrfs = openBtrfs();
afterAll(() => btrfs?.remove());

if (btrfs !== null) describeDirectory(directoryKit('dir', 'Btrfs', btrfs, true));
// Named among what was skipped; a line before says what is missing.
else it.skip('a dir pool on Btrfs (needs mkfs.btrfs and leave to mount)');
