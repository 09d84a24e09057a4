import { expect, it } from 'vitest';
import { methodsAt } from './not-found.js';

const routes = [
  { method: 'GET', url: '/v1/vms' },
  { method: 'POST', url: '/v1/vms' },
  { method: 'GET', url: '/v1/vms/:vmId' },
  { method: 'DELETE', url: '/v1/vms/:vmId' },
];

it.each([
  ['/v1/vms', ['GET', 'POST']],
  ['/v1/vms?limit=1', ['GET', 'POST']],
  ['/v1/vms/1', ['DELETE', 'GET']],
  ['/v1/vms/', []],
  ['/v1/vms/1/start', []],
  ['/', []],
])('%s takes %j', (address, methods) => {
  expect(methodsAt(routes, address)).toEqual(methods);
});
