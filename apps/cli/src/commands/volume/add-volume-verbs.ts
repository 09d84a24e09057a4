import type { AddVerb } from '../../cli.js';
import { addVolumeAttach } from './attach.js';
import { addVolumeClone } from './clone.js';
import { addVolumeCreate } from './create.js';
import { addVolumeDetach } from './detach.js';
import { addVolumeGet } from './get.js';
import { addVolumeGrow } from './grow.js';
import { addVolumeList } from './list.js';
import { addVolumePress } from './press-volume.js';
import { addVolumeRemoveSnapshot } from './remove-snapshot.js';
import { addVolumeRevert } from './revert.js';
import { addVolumeSnapshot } from './snapshot.js';
import { addVolumeSnapshots } from './snapshots.js';

export const addVolumeVerbs: AddVerb = (program, cli) => {
  const volume = program.command('volume').description('Volumes on storage pools, and snapshots of them');
  addVolumeList(volume, cli);
  addVolumeGet(volume, cli);
  addVolumeCreate(volume, cli);
  addVolumeGrow(volume, cli);
  addVolumeAttach(volume, cli);
  addVolumeDetach(volume, cli);
  addVolumeSnapshot(volume, cli);
  addVolumeSnapshots(volume, cli);
  addVolumeRevert(volume, cli);
  addVolumeClone(volume, cli);
  addVolumeRemoveSnapshot(volume, cli);
  addVolumePress(volume, cli);
};
