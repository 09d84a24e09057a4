import { afterAll } from 'vitest';
import { openScratch } from './file-systems.js';
import { describePool } from './pool.contract.js';

const scratch = openScratch();
afterAll(() => scratch.remove());

describePool('dir', 'the file system of this machine', scratch, false);
