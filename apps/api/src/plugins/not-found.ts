import { DomainError } from '@kvorum/schema';
import type { FastifyInstance } from 'fastify';
import { sendProblem } from './problem-json.js';

export interface MountedRoute {
  readonly method: string;
  readonly url: string;
}

/** 404 for what is not there, 405 with Allow for what is there under another method (RFC 9110 section 15.5.6). */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const mounted: MountedRoute[] = [];
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) mounted.push({ method, url: route.url });
  });
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsAt(mounted, request.url);
    if (allowed.length === 0) {
      return sendProblem(new DomainError('not_found', 'there is no such route; see /docs'), request, reply);
    }
    reply.header('allow', allowed.join(', '));
    const message = `${request.method} is not possible here; ${allowed.join(', ')} is`;
    return sendProblem(new DomainError('method_not_allowed', message), request, reply);
  });
}

/** Methods of the routes whose pattern fits the address. */
export function methodsAt(routes: readonly MountedRoute[], address: string): string[] {
  const path = segmentsOf(address.split('?', 1)[0] ?? '');
  const fits = routes.filter(({ url }) => {
    const pattern = segmentsOf(url);
    return (
      pattern.length === path.length &&
      pattern.every((segment, i) => segment === path[i] || (segment.startsWith(':') && path[i] !== ''))
    );
  });
  return [...new Set(fits.map(({ method }) => method))].sort();
}

const segmentsOf = (path: string): string[] => path.split('/').slice(1);
