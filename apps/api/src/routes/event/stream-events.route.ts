import { z } from 'zod';
import { defineStream } from '../../define-route.js';
import { openEventLog } from '../../event-log.js';

const EventsQuery = z.object({
  after: z.string().max(128).optional().meta({
    description: 'Id of an event: begin after it. Last-Event-ID goes before this. Default: from now on',
  }),
  type: z
    .string()
    .regex(/^[a-z]+(\.[a-z]+)?(,[a-z]+(\.[a-z]+)?){0,31}$/, { error: 'must be types such as vm.state,vm, by commas' })
    .optional()
    .meta({ description: 'Types, or their first words, divided by commas: `vm.state,operation`' }),
  resourceId: z.uuid().optional().meta({ description: 'Only events about this object' }),
});

export const streamEventsRoute = defineStream({
  method: 'GET',
  url: '/v1/events',
  operationId: 'streamEvents',
  tag: 'events',
  summary: 'Follow what changes',
  description:
    'Server-sent events, each an Event under its type. A reader that comes back with `Last-Event-ID` misses nothing and gets nothing twice.',
  role: 'viewer',
  query: EventsQuery,
  answer: { status: 200, description: 'Events as they happen', stream: 'text/event-stream' },
  errors: [],
  handler: ({ cp, actor, query, header }) =>
    openEventLog(cp, actor, {
      lastEventId: header('last-event-id'),
      after: query.after,
      types: query.type?.split(',') ?? [],
      resourceId: query.resourceId,
    }),
});
