import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

/**
 * Answers are data: nothing in them may run, be framed or be guessed at. The documentation page loads only files of this
 * server, so it works in a room without Internet. No `upgrade-insecure-requests`: behind plain HTTP on a private
 * network it would turn the page's own links to a port that does not speak TLS.
 */
export async function sendSecurityHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        connectSrc: ["'self'"],
        fontSrc: ["'self'", 'data:'],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", 'data:'],
        scriptSrc: ["'self'"],
        // The documentation page sets styles from its script.
        styleSrc: ["'self'", "'unsafe-inline'"],
      },
    },
    // TLS ends at the proxy in front, which knows whether it may promise HTTPS for good.
    strictTransportSecurity: false,
  });
}
