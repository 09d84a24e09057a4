import { rmSync } from 'node:fs';
import { afterAll, it } from 'vitest';
import { describePool } from '../pool.contract.js';
import { lvmKit, newFakeSite, newRealSite, scratchFolder } from './lvm-kit.js';

const REAL_POOL = process.env['KVORUM_TEST_LVM_THIN_POOL'];

afterAll(() => rmSync(scratchFolder, { recursive: true }));

describePool(lvmKit('a thin pool of LVM, simulated', () => newFakeSite()));

// Everything of ours on it is removed.
if (REAL_POOL !== undefined) describePool(lvmKit('a thin pool of LVM', () => newRealSite(REAL_POOL)));
else
  it.skip('a thin pool of LVM does the same: needs device-mapper, and KVORUM_TEST_LVM_THIN_POOL=GROUP/POOL', () => {});
