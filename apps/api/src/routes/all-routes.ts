import type { Route } from '../define-route.js';
import { streamEventsRoute } from './event/stream-events.route.js';
import { createFlavorRoute } from './flavor/create-flavor.route.js';
import { deleteFlavorRoute } from './flavor/delete-flavor.route.js';
import { getFlavorRoute } from './flavor/get-flavor.route.js';
import { listFlavorsRoute } from './flavor/list-flavors.route.js';
import { FLOATING_ADDRESS_ROUTES } from './floating-address/floating-address-routes.js';
import { cordonHostRoute } from './host/cordon-host.route.js';
import { createEnrolmentRoute } from './host/create-enrolment.route.js';
import { drainHostRoute } from './host/drain-host.route.js';
import { getHostRoute } from './host/get-host.route.js';
import { listHostsRoute } from './host/list-hosts.route.js';
import { planHostDrainRoute } from './host/plan-host-drain.route.js';
import { planRebalanceRoute } from './host/plan-rebalance.route.js';
import { rebalanceFleetRoute } from './host/rebalance-fleet.route.js';
import { revokeHostRoute } from './host/revoke-host.route.js';
import { sweepHostRoute } from './host/sweep-host.route.js';
import { uncordonHostRoute } from './host/uncordon-host.route.js';
import { createHostGroupRoute } from './host-group/create-host-group.route.js';
import { deleteHostGroupRoute } from './host-group/delete-host-group.route.js';
import { getCpuBaselineRoute } from './host-group/get-cpu-baseline.route.js';
import { getHostGroupRoute } from './host-group/get-host-group.route.js';
import { listHostGroupsRoute } from './host-group/list-host-groups.route.js';
import { previewCpuBaselineRoute } from './host-group/preview-cpu-baseline.route.js';
import { updateHostGroupRoute } from './host-group/update-host-group.route.js';
import { completeImageRoute } from './image/complete-image.route.js';
import { createImageRoute } from './image/create-image.route.js';
import { deleteImageRoute } from './image/delete-image.route.js';
import { downloadImageRoute } from './image/download-image.route.js';
import { getImageRoute } from './image/get-image.route.js';
import { importImageRoute } from './image/import-image.route.js';
import { listImagePartsRoute } from './image/list-image-parts.route.js';
import { listImagesRoute } from './image/list-images.route.js';
import { uploadImageContentRoute } from './image/upload-image-content.route.js';
import { uploadImagePartRoute } from './image/upload-image-part.route.js';
import { deleteLeftoverRoute } from './leftover/delete-leftover.route.js';
import { listLeftoversRoute } from './leftover/list-leftovers.route.js';
import { getErrorRoute } from './meta/get-error.route.js';
import { getHealthRoute } from './meta/get-health.route.js';
import { getOpenapiRoute } from './meta/get-openapi.route.js';
import { getReadinessRoute } from './meta/get-readiness.route.js';
import { createNetworkRoute } from './network/create-network.route.js';
import { createPortRoute } from './network/create-port.route.js';
import { deleteNetworkRoute } from './network/delete-network.route.js';
import { deletePortRoute } from './network/delete-port.route.js';
import { getNetworkRoute } from './network/get-network.route.js';
import { getPortRoute } from './network/get-port.route.js';
import { listNetworksRoute } from './network/list-networks.route.js';
import { listPortsRoute } from './network/list-ports.route.js';
import { updateNetworkRoute } from './network/update-network.route.js';
import { updatePortRoute } from './network/update-port.route.js';
import { cancelOperationRoute } from './operation/cancel-operation.route.js';
import { getOperationRoute } from './operation/get-operation.route.js';
import { listOperationsRoute } from './operation/list-operations.route.js';
import { resumeOperationRoute } from './operation/resume-operation.route.js';
import { unwindOperationRoute } from './operation/unwind-operation.route.js';
import { watchOperationRoute } from './operation/watch-operation.route.js';
import { getCapacityRoute } from './placement/get-capacity.route.js';
import { getPlacementRoute } from './placement/get-placement.route.js';
import { listPlacementQueueRoute } from './placement/list-placement-queue.route.js';
import { listPlacementsRoute } from './placement/list-placements.route.js';
import { replayPlacementRoute } from './placement/replay-placement.route.js';
import { simulateFailureRoute } from './placement/simulate-failure.route.js';
import { simulatePlacementRoute } from './placement/simulate-placement.route.js';
import { createProjectRoute } from './project/create-project.route.js';
import { getProjectRoute } from './project/get-project.route.js';
import { listProjectsRoute } from './project/list-projects.route.js';
import { updateProjectQuotaRoute } from './project/update-project-quota.route.js';
import { createSecurityGroupRoute } from './security-group/create-security-group.route.js';
import { deleteSecurityGroupRoute } from './security-group/delete-security-group.route.js';
import { getSecurityGroupRoute } from './security-group/get-security-group.route.js';
import { listSecurityGroupsRoute } from './security-group/list-security-groups.route.js';
import { updateSecurityGroupRoute } from './security-group/update-security-group.route.js';
import { getStoragePoolRoute } from './storage-pool/get-storage-pool.route.js';
import { listStoragePoolsRoute } from './storage-pool/list-storage-pools.route.js';
import { updateStoragePoolRoute } from './storage-pool/update-storage-pool.route.js';
import { createTokenRoute } from './token/create-token.route.js';
import { getOwnTokenRoute } from './token/get-own-token.route.js';
import { listTokensRoute } from './token/list-tokens.route.js';
import { revokeTokenRoute } from './token/revoke-token.route.js';
import { connectConsoleRoute } from './vm/connect-console.route.js';
import { createConsoleTokenRoute } from './vm/create-console-token.route.js';
import { createVmRoute } from './vm/create-vm.route.js';
import { deleteVmRoute } from './vm/delete-vm.route.js';
import { freezeTemplateRoute } from './vm/freeze-template.route.js';
import { freezeVmRoute } from './vm/freeze-vm.route.js';
import { getVmRoute } from './vm/get-vm.route.js';
import { listVmsRoute } from './vm/list-vms.route.js';
import { moveVmRoute } from './vm/move-vm.route.js';
import { pauseVmRoute } from './vm/pause-vm.route.js';
import { publishVmRoute } from './vm/publish-vm.route.js';
import { readVmConsoleRoute } from './vm/read-vm-console.route.js';
import { rebootVmRoute } from './vm/reboot-vm.route.js';
import { resetVmRoute } from './vm/reset-vm.route.js';
import { resumeVmRoute } from './vm/resume-vm.route.js';
import { runGuestCommandRoute } from './vm/run-guest-command.route.js';
import { startVmRoute } from './vm/start-vm.route.js';
import { stopVmRoute } from './vm/stop-vm.route.js';
import { takeVmScreenshotRoute } from './vm/take-vm-screenshot.route.js';
import { thawVmRoute } from './vm/thaw-vm.route.js';
import { updateVmRoute } from './vm/update-vm.route.js';
import { createVmGroupRoute } from './vm-group/create-vm-group.route.js';
import { deleteVmGroupRoute } from './vm-group/delete-vm-group.route.js';
import { getVmGroupRoute } from './vm-group/get-vm-group.route.js';
import { listVmGroupsRoute } from './vm-group/list-vm-groups.route.js';
import { updateVmGroupRoute } from './vm-group/update-vm-group.route.js';
import { deleteVmTemplateRoute } from './vm-template/delete-vm-template.route.js';
import { getVmTemplateRoute } from './vm-template/get-vm-template.route.js';
import { listVmTemplatesRoute } from './vm-template/list-vm-templates.route.js';
import { attachVolumeRoute } from './volume/attach-volume.route.js';
import { createVolumeRoute } from './volume/create-volume.route.js';
import { deleteVolumeRoute } from './volume/delete-volume.route.js';
import { detachVolumeRoute } from './volume/detach-volume.route.js';
import { getVolumeRoute } from './volume/get-volume.route.js';
import { listVolumesRoute } from './volume/list-volumes.route.js';
import { purgeVolumeRoute } from './volume/purge-volume.route.js';
import { restoreVolumeRoute } from './volume/restore-volume.route.js';
import { updateVolumeRoute } from './volume/update-volume.route.js';
import { createVolumeSnapshotsRoute } from './volume-snapshot/create-volume-snapshots.route.js';
import { deleteVolumeSnapshotRoute } from './volume-snapshot/delete-volume-snapshot.route.js';
import { getVolumeSnapshotRoute } from './volume-snapshot/get-volume-snapshot.route.js';
import { listVolumeSnapshotsRoute } from './volume-snapshot/list-volume-snapshots.route.js';
import { revertToSnapshotRoute } from './volume-snapshot/revert-to-snapshot.route.js';

/** Every endpoint. One that is not here does not exist; a test compares this list with the files. */
export const ALL_ROUTES: readonly Route[] = [
  streamEventsRoute,
  createFlavorRoute,
  deleteFlavorRoute,
  getFlavorRoute,
  listFlavorsRoute,
  cordonHostRoute,
  createEnrolmentRoute,
  getHostRoute,
  listHostsRoute,
  planHostDrainRoute,
  sweepHostRoute,
  listLeftoversRoute,
  deleteLeftoverRoute,
  planRebalanceRoute,
  drainHostRoute,
  rebalanceFleetRoute,
  revokeHostRoute,
  uncordonHostRoute,
  createHostGroupRoute,
  deleteHostGroupRoute,
  getCpuBaselineRoute,
  getHostGroupRoute,
  listHostGroupsRoute,
  previewCpuBaselineRoute,
  updateHostGroupRoute,
  createImageRoute,
  deleteImageRoute,
  getImageRoute,
  importImageRoute,
  downloadImageRoute,
  listImagesRoute,
  uploadImageContentRoute,
  uploadImagePartRoute,
  listImagePartsRoute,
  completeImageRoute,
  getErrorRoute,
  getHealthRoute,
  getOpenapiRoute,
  getReadinessRoute,
  ...FLOATING_ADDRESS_ROUTES,
  createNetworkRoute,
  createPortRoute,
  deleteNetworkRoute,
  deletePortRoute,
  getNetworkRoute,
  getPortRoute,
  listNetworksRoute,
  listPortsRoute,
  updateNetworkRoute,
  updatePortRoute,
  cancelOperationRoute,
  getOperationRoute,
  listOperationsRoute,
  resumeOperationRoute,
  unwindOperationRoute,
  watchOperationRoute,
  getCapacityRoute,
  getPlacementRoute,
  listPlacementsRoute,
  listPlacementQueueRoute,
  replayPlacementRoute,
  simulateFailureRoute,
  simulatePlacementRoute,
  createProjectRoute,
  getProjectRoute,
  listProjectsRoute,
  updateProjectQuotaRoute,
  createSecurityGroupRoute,
  deleteSecurityGroupRoute,
  getSecurityGroupRoute,
  listSecurityGroupsRoute,
  updateSecurityGroupRoute,
  getStoragePoolRoute,
  listStoragePoolsRoute,
  updateStoragePoolRoute,
  attachVolumeRoute,
  createVolumeRoute,
  detachVolumeRoute,
  deleteVolumeRoute,
  getVolumeRoute,
  listVolumesRoute,
  purgeVolumeRoute,
  restoreVolumeRoute,
  updateVolumeRoute,
  createVolumeSnapshotsRoute,
  deleteVolumeSnapshotRoute,
  getVolumeSnapshotRoute,
  listVolumeSnapshotsRoute,
  revertToSnapshotRoute,
  createTokenRoute,
  getOwnTokenRoute,
  listTokensRoute,
  revokeTokenRoute,
  connectConsoleRoute,
  createConsoleTokenRoute,
  createVmRoute,
  updateVmRoute,
  moveVmRoute,
  publishVmRoute,
  createVmGroupRoute,
  deleteVmGroupRoute,
  getVmGroupRoute,
  listVmGroupsRoute,
  updateVmGroupRoute,
  deleteVmTemplateRoute,
  getVmTemplateRoute,
  listVmTemplatesRoute,
  deleteVmRoute,
  freezeTemplateRoute,
  freezeVmRoute,
  getVmRoute,
  listVmsRoute,
  pauseVmRoute,
  readVmConsoleRoute,
  rebootVmRoute,
  resetVmRoute,
  resumeVmRoute,
  runGuestCommandRoute,
  startVmRoute,
  stopVmRoute,
  takeVmScreenshotRoute,
  thawVmRoute,
];
