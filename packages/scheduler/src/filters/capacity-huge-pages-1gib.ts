import { formatBytes } from '../format-bytes.js';
import { capacityFilter } from './capacity.js';

export const capacityHugePages1Gib = capacityFilter(
  'capacity-huge-pages-1gib',
  'hugePages1GibBytes',
  'huge pages of 1 GiB',
  formatBytes,
);
