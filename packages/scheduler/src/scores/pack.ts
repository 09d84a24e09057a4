import { DIMENSIONS } from '../fleet.js';
import type { Score } from '../score.js';
import { remainingFreeShare } from './remaining-free-share.js';

/** Fills hosts up one after the other, so that whole hosts stay free for large VMs and for draining. */
export const pack: Score = {
  name: 'pack',
  weight: 1,
  of(fleet, index, request) {
    let freeShares = 0;
    for (const dimension of DIMENSIONS) freeShares += remainingFreeShare(fleet, index, request, dimension);
    return 1 - freeShares / DIMENSIONS.length;
  },
};
