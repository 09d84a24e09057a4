import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateFolders } from '../state/state-folders.js';
import { admit } from './vm-actor-rules.js';
import type { VmRecord } from './vm-record.js';
import { VmRecordFiles } from './vm-record-files.js';

let folder: string;
let folders: StateFolders;
let files: VmRecordFiles;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kv-'));
  folders = new StateFolders(join(folder, 's'), join(folder, 'r'));
  await folders.create();
  files = new VmRecordFiles(folders);
});
afterEach(() => rm(folder, { recursive: true }));

function aRecord(): VmRecord {
  const intent = {
    vmId: newId<VmRecord['vmId']>(),
    generation: 1,
    fencingToken: 1,
    epoch: 1,
    operationId: newId<VmRecord['operationId']>(),
  };
  const admission = admit(null, intent, { kind: 'remove-vm' }, 1);
  if (admission.kind === 'refused') throw new Error(admission.message);
  return admission.record;
}

describe('records of VMs', () => {
  it('come back as they were saved, without leftovers of interrupted writes', async () => {
    const record = aRecord();
    await files.save(record);
    await writeFile(`${folders.recordOf(record.vmId)}.tmp`, '{"half');
    expect(await files.loadAll()).toEqual({ records: [record], unreadable: [] });
    expect(await readdir(folders.vms)).toEqual([`${record.vmId}.json`]);
    await files.forget(record.vmId);
    expect(await files.loadAll()).toEqual({ records: [], unreadable: [] });
  });

  it.each<[string, (record: VmRecord) => string]>([
    ['damaged', () => '{"half'],
    ['of a later version', (record) => JSON.stringify({ ...record, version: 2 })],
    ['of another VM', (record) => JSON.stringify({ ...record, vmId: newId() })],
    ['without a fence', ({ fence: _without, ...record }) => JSON.stringify(record)],
  ])('that are %s are told by the id of their VM, and the others are read', async (_name, text) => {
    const record = aRecord();
    const written = text(record);
    await writeFile(folders.recordOf(record.vmId), written);
    const other = aRecord();
    await files.save(other);
    await writeFile(join(folders.vms, 'notes.json'), 'not ours');
    const { records, unreadable } = await files.loadAll();
    expect(records).toEqual([other]);
    expect(unreadable).toEqual([{ vmId: record.vmId, detail: expect.stringContaining(record.vmId) }]);
    expect(await readFile(folders.recordOf(record.vmId), 'utf8')).toBe(written);
  });
});
