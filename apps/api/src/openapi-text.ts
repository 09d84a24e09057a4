import type { ControlPlane } from '@kvorum/control-plane';
import { buildApp } from './app.js';

/**
 * The OpenAPI document as it is committed. Describing the API calls no handler, so there is no control plane behind it: any
 * use of one here is a bug and fails at once.
 */
export async function openApiText(): Promise<string> {
  const cp = new Proxy({} as ControlPlane, {
    get: (_target, name) => {
      throw new TypeError(`describing the API used cp.${String(name)}`);
    },
  });
  const app = await buildApp({ cp });
  try {
    await app.ready();
    return `${JSON.stringify(app.swagger(), null, 2)}\n`;
  } finally {
    await app.close();
  }
}
