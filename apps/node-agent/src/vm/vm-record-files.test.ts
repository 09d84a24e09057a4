import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
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
    expect(await files.loadAll()).toEqual([record]);
    expect(await readdir(folders.vms)).toEqual([`${record.vmId}.json`]);
    await files.forget(record.vmId);
    expect(await files.loadAll()).toEqual([]);
  });

  it.each<[string, (record: VmRecord) => string]>([
    ['damaged', () => '{"half'],
    ['of a later version', (record) => JSON.stringify({ ...record, version: 2 })],
    ['of another VM', (record) => JSON.stringify({ ...record, vmId: newId() })],
    ['without a fence', ({ fence: _without, ...record }) => JSON.stringify(record)],
  ])('that are %s stop the agent: it must not guess', async (_name, text) => {
    const record = aRecord();
    await writeFile(folders.recordOf(record.vmId), text(record));
    await expect(files.loadAll()).rejects.toMatchObject({ code: 'host_fault' });
  });
});
