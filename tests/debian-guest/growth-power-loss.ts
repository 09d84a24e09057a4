import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { MIB, operationEnd } from '../e2e/site.js';
import {
  acknowledged,
  asked,
  expectAllInBoot,
  knownToBeOff,
  loseAndRegainPower,
  ROLES,
  type Role,
} from './after-power-loss.js';
import { CHANGE_MS_MAX, DATA_DISK, type DebianGuest, type DebianSite } from './debian-site.js';
import { amid, type VolumeOnPool, volumeOnPool } from './pool-on-host.js';
import { startWriter } from './written-lines.js';

const GROWN_MIB = 16;
const SIZE: Record<Role, string> = {
  data: `lsblk -bdno SIZE "$(readlink -f ${DATA_DISK})"`,
  root: 'lsblk -bdno SIZE /dev/vda',
};
/** The data disk has no partition: its file system takes what was added at once. */
const TAKE_ROOM = `resize2fs "$(readlink -f ${DATA_DISK})" >&2`;

interface Moment {
  readonly name: string;
  hasCome(volume: VolumeOnPool, wantedBytes: number): boolean;
  readonly withinMs: number;
}

const MOMENTS: readonly Moment[] = [
  { name: 'the request', hasCome: () => true, withinMs: 300 },
  {
    name: 'a growth that has begun',
    hasCome: ({ pending, sizeBytes }, wantedBytes) => pending?.kind === 'grow' || sizeBytes === wantedBytes,
    withinMs: 10,
  },
  {
    name: 'the record has the new size',
    hasCome: ({ sizeBytes }, wantedBytes) => sizeBytes === wantedBytes,
    withinMs: 100,
  },
];

async function loseAmidGrowth(
  debian: DebianSite,
  guest: DebianGuest,
  { moment, role, random }: { moment: Moment; role: Role; random: () => number },
): Promise<string> {
  const volumeId = guest.volumes[role];
  const wantedBytes = ((await volumeOnPool(guest, volumeId))?.sizeBytes ?? 0) + GROWN_MIB * MIB;
  const growth = ['PATCH', `/v1/volumes/${volumeId}`, { sizeBytes: wantedBytes }] as const;
  const writer = await startWriter(debian, guest.name, acknowledged[guest.name]);
  const operationId = await asked(debian, ...growth);
  await amid(guest, volumeId, (volume) => moment.hasCome(volume, wantedBytes));
  const afterMs = Math.round(random() * moment.withinMs);
  await sleep(afterMs);
  await loseAndRegainPower(guest, writer);
  const found = await volumeOnPool(guest, volumeId);
  const end = await operationEnd(debian.site.rest, operationId, CHANGE_MS_MAX);
  expect(['succeeded', 'failed'], JSON.stringify(end)).toContain(end['state']);
  await knownToBeOff(debian, guest);
  if (end['state'] === 'failed') await debian.done(...growth);
  const { body } = await debian.site.rest.expect(200, 'GET', `/v1/volumes/${volumeId}`);
  expect(body['sizeBytes']).toBe(wantedBytes);
  await expectAllInBoot(debian, guest);
  await eventually('the pool has the new size on record', CHANGE_MS_MAX, async () => {
    const volume = await volumeOnPool(guest, volumeId);
    return volume?.pending === null && volume.sizeBytes === wantedBytes;
  });
  expect(Number(await debian.told(guest.name, SIZE[role]))).toBe(wantedBytes);
  if (role === 'data') await debian.told(guest.name, TAKE_ROOM);
  const state = `${found?.pending?.kind ?? 'nothing'} pending, ${found?.sizeBytes === wantedBytes ? 'new' : 'old'} size`;
  return `growth of the ${role} disk, ${afterMs} ms after ${moment.name}; ${state}, operation ${end['state']}`;
}

export async function loseAmidGrowths(debian: DebianSite, guest: DebianGuest, random: () => number): Promise<void> {
  for (const [index, moment] of MOMENTS.entries()) {
    const role = ROLES[index % ROLES.length] ?? 'data';
    const words = await loseAmidGrowth(debian, guest, { moment, role, random });
    console.log(`${guest.name}: ${words}; ${acknowledged[guest.name] + 1} lines`);
  }
}
