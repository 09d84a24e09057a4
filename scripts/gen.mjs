// npm run gen: makes everything that is made from something else. `--check` changes no committed file and fails if one is not
// what it would be made to. Committed are the OpenAPI document and the generated pages of docs/.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { CHECKOUT_DIR } from './checkout.mjs';
import { generateApiTypes, generateSources } from './generate/generate-sources.mjs';
import { DOCS } from './generate/render-docs.mjs';
import { runCommand } from './progress/run-command.mjs';

const tsc = path.join(CHECKOUT_DIR, 'node_modules/.bin/tsc');

const writeDocs = async (isCheck) => {
  const schema = await import(pathToFileURL(path.join(CHECKOUT_DIR, 'packages/schema/dist/index.js')).href);
  const stale = [];
  for (const { file, render } of DOCS) {
    const absolute = path.join(CHECKOUT_DIR, file);
    const wanted = render(schema);
    const present = existsSync(absolute) ? readFileSync(absolute, 'utf8') : null;
    if (present === wanted) continue;
    stale.push(file);
    if (!isCheck) writeFileSync(absolute, wanted);
  }
  return stale;
};

const writeOpenapi = async (isCheck) => {
  const command = [process.execPath, path.join(CHECKOUT_DIR, 'apps/api/dist/write-openapi.js')];
  await runCommand(isCheck ? [...command, '--check'] : command, { log: 'generate' });
};

const isCheck = process.argv.includes('--check');
try {
  await generateSources();
  await runCommand([tsc, '-b', 'apps/api'], { log: 'build' });
  await writeOpenapi(isCheck);
  if (!isCheck) await generateApiTypes({ log: 'generate' });
  const stale = await writeDocs(isCheck);
  if (stale.length > 0 && isCheck) throw new Error(`not current: ${stale.join(', ')}; run: npm run gen`);
  console.log(isCheck ? 'generated files are current' : `generated${stale.length > 0 ? `: ${stale.join(', ')}` : ''}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
