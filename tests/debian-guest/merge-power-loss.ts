import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { operationEnd } from '../e2e/site.js';
import {
  acknowledged,
  asked,
  expectAllInBoot,
  knownToBeOff,
  loseAndRegainPower,
  ROLES,
  type Role,
  snapshotOf,
  WRITTEN,
} from './after-power-loss.js';
import { CHANGE_MS_MAX, type DebianGuest, type DebianSite } from './debian-site.js';
import { amid, expectSoundLayers, expectWritten, layerFile, type VolumeOnPool, volumeOnPool } from './pool-on-host.js';
import { DATA_FOLDER, startWriter } from './written-lines.js';

/** At the rate of `MERGE_BYTES_PER_SECOND`, some seconds. */
const LARGE_MIB = 24;
/** An agent that comes back has looked after its VMs' volumes by then. */
const RETURN_MS = 1_500;
/** A tool merges `LARGE_MIB` of a closed file in about this time. */
const CLOSED_MERGE_MS = 60;
const LARGE_FOLDER: Record<Role, string> = { data: DATA_FOLDER, root: '/var/lib' };

/** Each MiB is another one. */
const WRITE_LARGE = `import os, sys
some = os.urandom(1 << 20)
with open(sys.argv[1], "wb") as file:
    for index in range(${LARGE_MIB}): file.write(b"%09d" % index + some[9:])
    file.flush()
    os.fsync(file.fileno())
`;

interface Merge {
  readonly volumeId: string;
  /** What goes, and what rests on it: the layer that the guest writes to. */
  readonly childId: string;
  readonly aboveId: string;
}

interface Moment {
  readonly name: string;
  /** The power goes at some time after this. */
  hasCome(guest: DebianGuest, merge: Merge, volume: VolumeOnPool): boolean | Promise<boolean>;
  readonly withinMs: number;
}

const hasLayer = ({ layers }: VolumeOnPool, layerId: string): boolean => layers.some(({ id }) => id === layerId);

/** Names of other files come before the clusters, in the first of them. */
const HEADER_BYTES = 4096;
const namesInHeader = async (guest: DebianGuest, layerId: string, name: string): Promise<boolean> =>
  (await readFile(layerFile(guest, layerId))).subarray(0, HEADER_BYTES).includes(name);

/** The three states of the files and the record that a merge by a VM's process goes through. */
const MOMENTS: readonly Moment[] = [
  {
    name: 'a merge that has begun',
    hasCome: (_guest, _merge, { pending }) => pending?.kind === 'merge',
    withinMs: 5_000,
  },
  {
    name: 'the header above was turned',
    hasCome: async (guest, { aboveId, childId }, volume) =>
      !hasLayer(volume, childId) || !(await namesInHeader(guest, aboveId, childId)),
    withinMs: 500,
  },
  {
    name: 'the record has forgotten the layer',
    hasCome: (_guest, { childId }, volume) => !hasLayer(volume, childId),
    withinMs: 200,
  },
];

/** Of a disk. Returns its id. */
async function takeSnapshot(debian: DebianSite, volumeId: string, name: string): Promise<string> {
  await debian.done('POST', '/v1/volume-snapshots', { name, volumeIds: [volumeId] });
  const snapshotId = await snapshotOf(debian, volumeId, name);
  if (snapshotId === undefined) throw new TypeError(`there is a snapshot ${name}`);
  return snapshotId;
}

/** As much flushed data as makes a large layer. Returns a script that says what is there of it. */
async function writeLarge({ told }: DebianSite, guest: DebianGuest, file: string): Promise<[string, string]> {
  await told(guest.name, `python3 - ${file} <<'END'\n${WRITE_LARGE}END`);
  const script = `sha256sum <${file}`;
  return [script, await told(guest.name, script)];
}

/**
 * Power is lost three times: while the VM's process merges a layer, while what came back finishes that on closed files, and amid the merge
 * that the removal of a snapshot of the closed volume is. Then the guest boots.
 */
async function loseAmidMerge(
  debian: DebianSite,
  guest: DebianGuest,
  { moment, role, random }: { moment: Moment; role: Role; random: () => number },
): Promise<string> {
  const volumeId = guest.volumes[role];
  const writer = await startWriter(debian, guest.name, acknowledged[guest.name]);
  const lower = await takeSnapshot(debian, volumeId, 'lower');
  const large = [await writeLarge(debian, guest, `${LARGE_FOLDER[role]}/large-1`)];
  const before = writer.acknowledged();
  const upper = await takeSnapshot(debian, volumeId, 'upper');
  large.push(await writeLarge(debian, guest, `${LARGE_FOLDER[role]}/large-2`));
  const merge = { volumeId, childId: `${volumeId}.${lower}`, aboveId: `${volumeId}.${upper}` };
  await debian.done('DELETE', `/v1/volume-snapshots/${lower}`);
  await amid(guest, volumeId, (volume) => moment.hasCome(guest, merge, volume));
  const afterMs = [random() * moment.withinMs, random() * RETURN_MS, random() * CLOSED_MERGE_MS].map(Math.round);
  await sleep(afterMs[0]);
  await loseAndRegainPower(guest, writer);
  const found = await volumeOnPool(guest, volumeId);
  await sleep(afterMs[1]);
  await loseAndRegainPower(guest, null);
  await knownToBeOff(debian, guest);
  await expectWritten(guest, { volumeId, snapshotId: upper, ...WRITTEN[role], acknowledged: before });

  const removal = await asked(debian, 'DELETE', `/v1/volume-snapshots/${upper}`);
  await amid(
    guest,
    volumeId,
    ({ pending, snapshots }) => pending?.kind === 'merge' || snapshots.every(({ id }) => id !== upper),
  );
  await sleep(afterMs[2]);
  await loseAndRegainPower(guest, null);
  const left = await volumeOnPool(guest, volumeId);
  const end = await operationEnd(debian.site.rest, removal, CHANGE_MS_MAX);
  expect(end['state'], JSON.stringify(end)).toBe('succeeded');
  await eventually('a short chain', CHANGE_MS_MAX, async () => {
    const volume = await volumeOnPool(guest, volumeId);
    return (
      volume !== null && volume.pending === null && ![merge.childId, merge.aboveId].some((id) => hasLayer(volume, id))
    );
  });
  await expectAllInBoot(debian, guest);
  for (const [script, words] of large) expect(await debian.told(guest.name, script ?? '')).toBe(words);
  const states = [found, left].map((volume) => volume?.pending?.kind ?? 'nothing').join(' and then ');
  return `merge of the ${role} disk, ${afterMs[0]} ms after ${moment.name}, then after ${afterMs[1]} and ${afterMs[2]} ms; pending: ${states}`;
}

export async function loseAmidMerges(debian: DebianSite, guest: DebianGuest, random: () => number): Promise<void> {
  for (const [index, moment] of MOMENTS.entries()) {
    const role = ROLES[index % ROLES.length] ?? 'data';
    const words = await loseAmidMerge(debian, guest, { moment, role, random });
    console.log(
      `${guest.name}: ${words}; ${acknowledged[guest.name] + 1} lines, ${await expectSoundLayers(guest)} layers`,
    );
  }
}
