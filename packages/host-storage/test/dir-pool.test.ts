import { afterAll } from 'vitest';
import { describeDirectory } from './directory.contract.js';
import { directoryKit } from './directory-kit.js';
import { openScratch } from './file-systems.js';

const scratch = openScratch();
afterAll(() => scratch.remove());

describeDirectory(directoryKit('dir', 'the file system of this machine', scratch, false));
