import { pressVerb } from './press-button.js';

export const addVmResume = pressVerb('resume', 'Let a paused VM go on');
