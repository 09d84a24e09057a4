import { ACCELERATOR, cell } from '../fleet.js';
import type { Score } from '../score.js';

/** More than all other scores together: no saving of room is worth emulation, which is 10 to 50 times slower. */
const WEIGHT = 10;

/** A request that takes any accelerator gets the fast one where there is one. */
export const acceleratorScore: Score = {
  name: 'accelerator',
  weight: WEIGHT,
  bind:
    (_request, { accelerators }) =>
    (index) =>
      cell(accelerators, index) === ACCELERATOR.kvm ? 1 : 0,
};
