import { pressVerb } from './press-button.js';

export const addVmReset = pressVerb(
  'reset',
  'Press the reset button: the guest restarts at once, without shutting down',
);
