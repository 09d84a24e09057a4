import { formatBytes } from '../format-bytes.js';
import { capacityFilter } from './capacity.js';

export const capacityMemory = capacityFilter('capacity-memory', 'memoryBytes', 'memory', formatBytes);
