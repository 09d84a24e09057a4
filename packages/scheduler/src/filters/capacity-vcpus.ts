import { capacityFilter } from './capacity.js';

export const capacityVcpus = capacityFilter('capacity-vcpus', 'vcpuCount', 'vCPUs', String);
