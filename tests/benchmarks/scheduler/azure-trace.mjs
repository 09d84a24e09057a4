// Reads the flavor and duration traces of the folder given, in the form described in its INPUT.md.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const GIB = 1024 ** 3;
export const BIN_SECONDS = 300;

const linesOf = (folder, file) => readFileSync(path.join(folder, file), 'utf8').trim().split('\n');

/** The same share for the same VM in each run: where in its bin a lifetime lies is not in the trace. */
const shareOf = (ordinal) => {
  let mixed = Math.imul(ordinal + 1, 2654435761) >>> 0;
  mixed ^= mixed >>> 16;
  return (Math.imul(mixed, 0x45d9f3b) >>> 0) / 4294967296;
};

/** VMs in the order of their arrival: { atSeconds, endSeconds, vcpuCount, memoryBytes }. Those that outlive the trace end never. */
export function readAzureTrace(folder) {
  const flavors = new Map(
    linesOf(folder, 'flav_map.txt').map((line) => {
      const [size, letter] = line.split(' ');
      const [vcpuCount, gib] = size.split(',').map(Number);
      return [letter, { vcpuCount, memoryBytes: gib * GIB }];
    }),
  );
  const bins = new Map();
  for (const [second, bin] of linesOf(folder, 'v1.interval_map.txt').map((line) => line.split(' ').map(Number))) {
    const known = bins.get(bin);
    bins.set(bin, { from: known?.from ?? second, to: second + BIN_SECONDS });
  }
  const durations = linesOf(folder, 'v1.dev.c2100000.txt');
  const vms = [];
  for (const [at, line] of linesOf(folder, 'v1.dev.txt').entries()) {
    const [time, letters] = line.split(' ');
    const lifetimes = durations[at].split(' ')[1].split(',');
    for (const [position, letter] of letters.split(',').entries()) {
      const flavor = flavors.get(letter);
      if (flavor === undefined) continue;
      const lifetime = lifetimes[position];
      const { from, to } = bins.get(Number(lifetime.slice(1)));
      const isCensored = lifetime[0] === 'C';
      const seconds = isCensored ? Number.POSITIVE_INFINITY : from + shareOf(vms.length) * (to - from);
      vms.push({ atSeconds: Number(time), endSeconds: Number(time) + seconds, ...flavor });
    }
  }
  return vms;
}
