import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { KvorumClient } from '@kvorum/client';
import type { WebSocket } from 'ws';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { openSocket } from '../../open-socket.js';
import { parseCount } from '../../option-values.js';
import { printError } from '../../print-error.js';
import { resolveVm } from '../../resolve-name.js';

/** What a viewer may send in one go. */
const MESSAGE_BYTES_MAX = 16_384;

export const addVmVnc: AddVerb = (vm, cli) => {
  vm.command('vnc')
    .description("Offer a VM's screen on a local port, for any VNC viewer, until Ctrl-C")
    .argument('<vm>', 'name or id')
    .option('--port <port>', 'on 127.0.0.1; default: a free one', parseCount)
    .option('--url', 'print the address of a WebSocket instead, good once within a minute, for noVNC')
    .addHelpText('after', examples('kvorum vm vnc web-1 --port 5901', 'kvorum vm vnc web-1 --url -o json'))
    .addHelpText('after', '\nWho can reach 127.0.0.1 on this machine can use the port, without a password.')
    .action(async (nameOrId: string, { port, url }: { readonly port?: number; readonly url?: true }) => {
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      if (url === true) {
        const issued = await client.vms.createConsoleToken(vmId, 'vnc');
        const shown = { url: client.vms.consoleUrl(issued), expiresAt: issued.expiresAt };
        return cli.showText(shown, () => `${shown.url}\n`);
      }
      const server = createServer((viewer) => {
        serveViewer(client, vmId, viewer).catch((error: unknown) => {
          viewer.destroy();
          printError(cli.io, error);
        });
      });
      server.listen(port ?? 0, '127.0.0.1');
      await once(server, 'listening');
      const at = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
      cli.showText(at, () => `vnc://${at.host}:${at.port}\n`);
      try {
        await cli.untilInterrupt('', (signal) => once(signal, 'abort').then(() => signal.throwIfAborted()));
      } finally {
        server.close();
      }
    });
};

/** Each viewer has a session of its own. */
async function serveViewer(client: KvorumClient, vmId: string, viewer: Socket): Promise<void> {
  viewer.pause();
  viewer.on('error', () => viewer.destroy());
  const socket = await openSocket(client.vms.consoleUrl(await client.vms.createConsoleToken(vmId, 'vnc')));
  join(socket, viewer);
}

function join(socket: WebSocket, viewer: Socket): void {
  socket.on('message', (data: Buffer) => {
    if (viewer.write(data)) return;
    socket.pause();
    viewer.once('drain', () => socket.resume());
  });
  socket.on('close', () => viewer.destroy());
  viewer.on('data', (data: Buffer) => {
    for (let at = 0; at < data.length; at += MESSAGE_BYTES_MAX) {
      socket.send(data.subarray(at, at + MESSAGE_BYTES_MAX), { binary: true });
    }
  });
  viewer.on('close', () => socket.close());
  if (viewer.destroyed) socket.close();
  viewer.resume();
  socket.resume();
}
