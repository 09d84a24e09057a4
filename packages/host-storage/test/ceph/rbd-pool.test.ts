import { rmSync } from 'node:fs';
import { afterAll } from 'vitest';
import { describePool } from '../pool.contract.js';
import { rbdKit, scratchFolder } from './rbd-kit.js';

afterAll(() => rmSync(scratchFolder, { recursive: true }));

describePool(rbdKit);
