import { killEverywhere } from './kill-workers.js';

killEverywhere('Redis');
