import { openQemuDriver } from '../../../packages/hypervisor-driver/dist/index.js';
import { ms, percentile } from '../percentiles.mjs';
import { argumentsOf, end, haltingImage, launchSpec, startByHand } from './bench-vm.mjs';

const ROUND_COUNT = 20;

/** Alternating, so that the noise of the machine falls on both. The guest stands still in both. */
export async function measureLaunch(folder) {
  const driver = openQemuDriver();
  const imagePath = haltingImage(folder);
  const [viaDriver, byHand] = [[], []];
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    const spec = launchSpec(folder);
    await driver.ensureDisk({ path: spec.diskPath, sizeBytes: 1024 * 1024, imagePath });
    const begin = performance.now();
    const vm = await driver.launch(spec);
    viaDriver.push(performance.now() - begin);
    const words = argumentsOf(vm.pid);
    await vm.end(1_000);
    const bare = await startByHand(words, spec, folder);
    byHand.push(bare.tookMs);
    bare.qmp.close();
    await end(bare.child);
  }
  const row = (what, samples) => ({ what, p50: ms(percentile(samples, 0.5)), p90: ms(percentile(samples, 0.9)) });
  const [ours, theirs] = [viaDriver, byHand].map((samples) => percentile(samples, 0.5));
  return [
    { ...row('through the driver', viaDriver), ratio: `${(ours / theirs).toFixed(2)}x` },
    { ...row('the same QEMU by hand', byHand), ratio: '' },
    { what: 'added by the driver', p50: ms(ours - theirs), p90: '', ratio: '' },
  ];
}
