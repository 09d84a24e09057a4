import { formatBytes } from '../format-bytes.js';
import { capacityFilter } from './capacity.js';

export const capacityDisk = capacityFilter('capacity-disk', 'diskBytes', 'disk', formatBytes);
