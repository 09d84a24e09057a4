import { capacityFilter } from './capacity.js';

export const capacityDedicatedCpus = capacityFilter(
  'capacity-dedicated-cpus',
  'dedicatedCpuCount',
  'dedicated CPUs',
  String,
);
