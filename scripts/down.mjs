// npm run down: ends whatever an `up` of this checkout left running. Nothing is deleted but what lives in memory.
import { bringDown } from './up/bring-down.mjs';

try {
  const ended = await bringDown();
  console.log(ended.length === 0 ? 'nothing of this checkout runs' : `ended: ${ended.join(', ')}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
