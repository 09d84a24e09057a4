// node scripts/build-image.mjs [tiny] [boot-sector] [debian]: builds guest images into .kvorum/cache/images (the first two without
// a name).
import { ensureGuestImage, QUICK_IMAGE_NAMES } from './images/guest-image.mjs';

const names = process.argv.length > 2 ? process.argv.slice(2) : QUICK_IMAGE_NAMES;
for (const name of names) {
  const startedAt = Date.now();
  const image = await ensureGuestImage(name, { report: (message) => console.log(`${name}: ${message}`) });
  const how = image.isCached ? 'was there' : `built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  console.log(`${name}: ${image.path} (${how}, sha256 ${image.sha256})`);
}
