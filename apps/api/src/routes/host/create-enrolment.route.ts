import { createEnrolment } from '@kvorum/control-plane';
import { CreateEnrolmentRequest, Enrolment } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const createEnrolmentRoute = defineRoute({
  method: 'POST',
  url: '/v1/host-enrolments',
  operationId: 'createEnrolment',
  tag: 'hosts',
  summary: 'Let a host join',
  description:
    'Makes a join token that works once, for one host name. It is shown here and nowhere else, so the request cannot be replayed: ask for another token instead.',
  role: 'admin',
  body: CreateEnrolmentRequest,
  example: { hostName: 'rack1-host7', validForSeconds: 3600, labels: { rack: 'rack1' } },
  answer: { status: 201, description: 'The join token, and what to run on the host', body: Enrolment },
  errors: ['already_exists'],
  handler: async ({ cp, actor, body }) => ({ body: await createEnrolment(cp, actor, body) }),
});
