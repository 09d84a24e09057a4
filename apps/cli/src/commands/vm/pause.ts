import { pressVerb } from './press-button.js';

export const addVmPause = pressVerb('pause', 'Freeze a VM; its memory stays');
