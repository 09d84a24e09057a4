import { mayKeepConsole, openVmConsole } from '@kvorum/control-plane';
import { ConnectConsoleQuery, ConsoleParams } from '@kvorum/schema';
import { defineSocket } from '../../define-route.js';
import { serveConsole } from '../../serve-console.js';

export const connectConsoleRoute = defineSocket({
  method: 'GET',
  url: '/v1/vms/:vmId/console/:kind',
  operationId: 'connectConsole',
  tag: 'vms',
  summary: 'Open a console by WebSocket',
  description:
    'Messages carry bytes of the serial line (xterm.js) or of the RFB protocol (noVNC), both ways; what a guest sends is untrusted. The session ends when the VM stops, the API token behind it is revoked, nothing happens for 30 minutes, or after 12 hours; the reason of the close says which.',
  role: 'console-token',
  params: ConsoleParams,
  query: ConnectConsoleQuery,
  answer: { status: 101, description: 'The WebSocket is open' },
  errors: ['not_found', 'conflict_state', 'host_unreachable', 'host_fault', 'host_not_trusted', 'guest_fault'],
  handler: async ({ cp, consoleBounds, stopping, params, query }) => {
    const { vmId, kind } = params;
    const { stream, actor } = await openVmConsole(cp, {
      vmId,
      kind,
      secret: query.token,
      backlogBytes: query.backlogBytes,
    });
    return {
      serve: (socket) =>
        serveConsole(socket, stream, {
          ...consoleBounds,
          stopping,
          mayGoOn: () => mayKeepConsole(cp, actor, vmId),
        }),
      abandon: () => stream.close(),
    };
  },
});
