// npm run build: generated sources, then TypeScript to dist/ (only what changed; tsc keeps track of that itself).
import { buildProject } from './generate/build-project.mjs';

try {
  await buildProject({ onLine: (line) => console.log(line) });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
