import { formatBytes } from '../format-bytes.js';
import { capacityFilter } from './capacity.js';

export const capacityHugePages2Mib = capacityFilter(
  'capacity-huge-pages-2mib',
  'hugePages2MibBytes',
  'huge pages of 2 MiB',
  formatBytes,
);
