// Runs in a guest: says to whoever connects from which address it comes. Prints a line once it listens.
import { createServer } from 'node:net';

const ports = process.argv.slice(2).map(Number);
let waiting = ports.length;
for (const port of ports) {
  createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${socket.remoteAddress}`);
  }).listen(port, '0.0.0.0', () => {
    waiting -= 1;
    if (waiting === 0) console.log('listening');
  });
}
