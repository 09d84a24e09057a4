import { pressVerb } from './press-button.js';

export const addVmStart = pressVerb('start', 'Start a VM on its host; one that runs is left alone');
