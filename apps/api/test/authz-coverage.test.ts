import { type Role, roleCovers } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RouteRole } from '../src/define-route.js';
import { openSite, type Site } from './open-site.js';

/**
 * Each route of the document as each role, without and with a project. What is checked is who is let in, not what happens
 * then: let in means any answer but 401 and 403 (bodies are wrong on purpose, objects do not exist).
 */
const ID = '019a0000-0000-7000-8000-00000000ffff';
const ROLES = ['admin', 'operator', 'viewer'] as const;

/** Least role of every operation, written down a second time: a change of one alone fails. */
const EXPECTED: Record<string, RouteRole> = {
  connectConsole: 'console-token',
  getHealth: 'public',
  getReadiness: 'public',
  getOpenapi: 'public',
  getError: 'public',
  getOwnToken: 'viewer',
  listVms: 'viewer',
  getVm: 'viewer',
  readVmConsole: 'viewer',
  takeVmScreenshot: 'viewer',
  listImages: 'viewer',
  getImage: 'viewer',
  listFlavors: 'viewer',
  getFlavor: 'viewer',
  listProjects: 'viewer',
  getProject: 'viewer',
  listHosts: 'viewer',
  getHost: 'viewer',
  listHostGroups: 'viewer',
  getHostGroup: 'viewer',
  getCpuBaseline: 'viewer',
  previewCpuBaseline: 'viewer',
  listOperations: 'viewer',
  getOperation: 'viewer',
  watchOperation: 'viewer',
  listPlacements: 'viewer',
  listPlacementQueue: 'viewer',
  getPlacement: 'viewer',
  replayPlacement: 'viewer',
  simulatePlacement: 'viewer',
  getCapacity: 'viewer',
  simulateFailure: 'operator',
  planHostDrain: 'operator',
  planRebalance: 'operator',
  drainHost: 'admin',
  rebalanceFleet: 'admin',
  streamEvents: 'viewer',
  listNetworks: 'viewer',
  getNetwork: 'viewer',
  listPorts: 'viewer',
  getPort: 'viewer',
  listSecurityGroups: 'viewer',
  listFloatingRanges: 'viewer',
  getFloatingRange: 'viewer',
  listFloatingAddresses: 'viewer',
  getFloatingAddress: 'viewer',
  getSecurityGroup: 'viewer',
  listVmGroups: 'viewer',
  getVmGroup: 'viewer',
  listStoragePools: 'viewer',
  getStoragePool: 'viewer',
  listVolumes: 'viewer',
  getVolume: 'viewer',
  listVolumeSnapshots: 'viewer',
  getVolumeSnapshot: 'viewer',
  listVmTemplates: 'viewer',
  getVmTemplate: 'viewer',
  freezeTemplate: 'operator',
  deleteVmTemplate: 'operator',
  createVm: 'operator',
  startVm: 'operator',
  stopVm: 'operator',
  rebootVm: 'operator',
  resetVm: 'operator',
  pauseVm: 'operator',
  resumeVm: 'operator',
  updateVm: 'operator',
  moveVm: 'operator',
  publishVm: 'operator',
  deleteVm: 'operator',
  createConsoleToken: 'operator',
  runGuestCommand: 'operator',
  freezeVm: 'operator',
  thawVm: 'operator',
  createImage: 'operator',
  importImage: 'operator',
  downloadImage: 'operator',
  uploadImageContent: 'operator',
  uploadImagePart: 'operator',
  listImageParts: 'operator',
  completeImage: 'operator',
  deleteImage: 'operator',
  createNetwork: 'operator',
  updateNetwork: 'operator',
  deleteNetwork: 'operator',
  createPort: 'operator',
  updatePort: 'operator',
  deletePort: 'operator',
  createFloatingAddress: 'operator',
  updateFloatingAddress: 'operator',
  deleteFloatingAddress: 'operator',
  createSecurityGroup: 'operator',
  updateSecurityGroup: 'operator',
  deleteSecurityGroup: 'operator',
  createVmGroup: 'operator',
  updateVmGroup: 'operator',
  deleteVmGroup: 'operator',
  createVolume: 'operator',
  updateVolume: 'operator',
  deleteVolume: 'operator',
  restoreVolume: 'operator',
  purgeVolume: 'operator',
  attachVolume: 'operator',
  detachVolume: 'operator',
  createVolumeSnapshots: 'operator',
  deleteVolumeSnapshot: 'operator',
  revertToSnapshot: 'operator',
  cancelOperation: 'operator',
  resumeOperation: 'operator',
  unwindOperation: 'operator',
  createEnrolment: 'admin',
  sweepHost: 'operator',
  listLeftovers: 'viewer',
  deleteLeftover: 'admin',
  cordonHost: 'admin',
  uncordonHost: 'admin',
  revokeHost: 'admin',
  createHostGroup: 'admin',
  updateHostGroup: 'admin',
  deleteHostGroup: 'admin',
  createFloatingRange: 'admin',
  deleteFloatingRange: 'admin',
  createFlavor: 'admin',
  deleteFlavor: 'admin',
  createProject: 'admin',
  updateProjectQuota: 'admin',
  updateStoragePool: 'admin',
  createToken: 'admin',
  listTokens: 'admin',
  revokeToken: 'admin',
};
/** Of the whole site: a token of a project is refused although its role would do. */
const WHOLE_SITE = new Set([
  'listHosts',
  'listLeftovers',
  'deleteLeftover',
  'sweepHost',
  'getHost',
  'listHostGroups',
  'getHostGroup',
  'getCpuBaseline',
  'planHostDrain',
  'planRebalance',
]);

interface Call {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly role: RouteRole;
}

let site: Site;
let calls: Call[];
/** Without those that check a token of their own, whoever asks: consoles.test.ts. */
let roleCalls: (Call & { readonly role: Role | 'public' })[];
beforeAll(async () => {
  site = await openSite();
  const { paths } = (await site.ask('GET', '/v1/openapi.json')).body;
  calls = Object.entries<Record<string, Record<string, string>>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation['operationId'] ?? '',
      method: method.toUpperCase(),
      url: path.replace('{code}', 'bug').replaceAll(/\{\w+\}/g, ID),
      role: operation['x-minimal-role'] as RouteRole,
    })),
  );
  roleCalls = calls.flatMap(({ role, ...call }) => (role === 'console-token' ? [] : [{ ...call, role }]));
});
afterAll(() => site.close());

// A stream that is let in stays open: a wrong query ends it with 400, after the role was checked.
const urlOf = (call: Call): string => (call.id === 'streamEvents' ? `${call.url}?no-such-field=1` : call.url);

describe('who may call what', () => {
  it('every route of the document has the least role written down here', () => {
    expect(Object.fromEntries(calls.map(({ id, role }) => [id, role]))).toEqual(EXPECTED);
  });

  it('nobody without a token is let in, but to public routes', async () => {
    for (const call of roleCalls) {
      const { status } = await site.ask(call.method, urlOf(call));
      if (call.role === 'public') expect(status, call.id).toBe(200);
      else expect(status, call.id).toBe(401);
    }
  });

  it.each(ROLES)('%s is let in exactly where the role covers the least role', async (role) => {
    for (const call of roleCalls) {
      const { status, body } = await site.ask(call.method, urlOf(call), { as: role });
      expect(status, call.id).toBeLessThan(500);
      expect(status, call.id).not.toBe(401);
      const isCovered = call.role === 'public' || roleCovers(role, call.role);
      expect(status === 403, `${call.id}: ${status} ${body?.detail}`).toBe(!isCovered);
    }
  });

  it.each(['operator', 'viewer'] as const)('a %s of a project is refused what is of the whole site', async (role) => {
    const as = role === 'operator' ? 'projectOperator' : 'projectViewer';
    for (const call of roleCalls) {
      const { status, body } = await site.ask(call.method, urlOf(call), { as });
      const isCovered = (call.role === 'public' || roleCovers(role, call.role)) && !WHOLE_SITE.has(call.id);
      expect(status === 403, `${call.id}: ${status} ${body?.detail}`).toBe(!isCovered);
      expect(status, call.id).toBeLessThan(500);
    }
  });
});
