import type { Route } from '../../define-route.js';
import { createFloatingAddressRoute } from './create-floating-address.route.js';
import { createFloatingRangeRoute } from './create-floating-range.route.js';
import { deleteFloatingAddressRoute } from './delete-floating-address.route.js';
import { deleteFloatingRangeRoute } from './delete-floating-range.route.js';
import { getFloatingAddressRoute } from './get-floating-address.route.js';
import { getFloatingRangeRoute } from './get-floating-range.route.js';
import { listFloatingAddressesRoute } from './list-floating-addresses.route.js';
import { listFloatingRangesRoute } from './list-floating-ranges.route.js';
import { updateFloatingAddressRoute } from './update-floating-address.route.js';

export const FLOATING_ADDRESS_ROUTES: readonly Route[] = [
  createFloatingAddressRoute,
  createFloatingRangeRoute,
  deleteFloatingAddressRoute,
  deleteFloatingRangeRoute,
  getFloatingAddressRoute,
  getFloatingRangeRoute,
  listFloatingAddressesRoute,
  listFloatingRangesRoute,
  updateFloatingAddressRoute,
];
