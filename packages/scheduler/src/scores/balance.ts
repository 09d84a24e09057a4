import { DIMENSIONS } from '../fleet.js';
import type { Score } from '../score.js';
import { remainingFreeShare } from './remaining-free-share.js';

/** Leaves vCPUs, memory and disk free in proportion: a host with memory but no vCPUs left is stranded. */
export const balance: Score = {
  name: 'balance',
  weight: 1,
  of(fleet, index, request) {
    let smallest = 1;
    let largest = 0;
    for (const dimension of DIMENSIONS) {
      const share = remainingFreeShare(fleet, index, request, dimension);
      smallest = Math.min(smallest, share);
      largest = Math.max(largest, share);
    }
    return 1 - (largest - smallest);
  },
};
