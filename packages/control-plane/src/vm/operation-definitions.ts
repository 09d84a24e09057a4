import type { OperationKind } from '@kvorum/schema';
import { downloadImageOperation, type ImageServices } from '../image/download-image.operation.js';
import { publishVmOperation } from '../image/publish-vm.operation.js';
import type { AnyDefinition } from '../operations/operation-run.js';
import { drainHostOperation, type PlanServices, rebalanceFleetOperation } from '../placement/execute-plan.operation.js';
import { deleteTemplateOperation } from '../vm-template/delete-template.operation.js';
import { freezeTemplateOperation } from '../vm-template/freeze-template.operation.js';
import { createVolumeOperation } from '../volume/create-volume.operation.js';
import { deleteVolumeOperation } from '../volume/delete-volume.operation.js';
import { growVolumeOperation } from '../volume/grow-volume.operation.js';
import { purgeVolumeOperation } from '../volume/purge-volume.operation.js';
import { restoreVolumeOperation } from '../volume/restore-volume.operation.js';
import { revertVolumeOperation } from '../volume/revert-volume.operation.js';
import { createSnapshotsOperation } from '../volume-snapshot/create-volume-snapshots.operation.js';
import { deleteSnapshotOperation } from '../volume-snapshot/delete-volume-snapshot.operation.js';
import { createVmOperation } from './create-vm.operation.js';
import { deleteVmOperation } from './delete-vm.operation.js';
import { moveVmOperation } from './move-vm.operation.js';
import { pauseVmOperation } from './pause-vm.operation.js';
import { rebootVmOperation } from './reboot-vm.operation.js';
import { resetVmOperation } from './reset-vm.operation.js';
import { resumeVmOperation } from './resume-vm.operation.js';
import { startVmOperation } from './start-vm.operation.js';
import { stopVmOperation } from './stop-vm.operation.js';
import { updateVmOperation } from './update-vm.operation.js';
import type { VmServices } from './vm-operation.js';

/** What the steps of all operations together work with. */
export type WorkerServices = VmServices & ImageServices & PlanServices;

/** Every operation a worker can be given. */
export const operationDefinitions: ReadonlyMap<OperationKind, AnyDefinition<WorkerServices>> = new Map(
  [
    createVmOperation,
    startVmOperation,
    stopVmOperation,
    rebootVmOperation,
    resetVmOperation,
    pauseVmOperation,
    resumeVmOperation,
    updateVmOperation,
    moveVmOperation,
    deleteVmOperation,
    freezeTemplateOperation,
    deleteTemplateOperation,
    downloadImageOperation,
    publishVmOperation,
    createVolumeOperation,
    growVolumeOperation,
    deleteVolumeOperation,
    restoreVolumeOperation,
    purgeVolumeOperation,
    revertVolumeOperation,
    createSnapshotsOperation,
    deleteSnapshotOperation,
    drainHostOperation,
    rebalanceFleetOperation,
  ].map((definition) => [definition.kind, definition]),
);
