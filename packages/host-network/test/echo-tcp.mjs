// Runs in a guest: sends back what it is sent. Prints a line once it listens.
import { createServer } from 'node:net';

const [, , port] = process.argv;
createServer((socket) => {
  socket.on('error', () => {});
  socket.pipe(socket);
}).listen(Number(port), '0.0.0.0', () => console.log('listening'));
