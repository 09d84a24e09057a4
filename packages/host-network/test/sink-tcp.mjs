// Runs in a guest: takes whatever comes, and says how many bytes it was. Prints a line once it listens.
import { createServer } from 'node:net';

createServer({ allowHalfOpen: true }, (socket) => {
  let byteCount = 0;
  socket.on('data', (bytes) => {
    byteCount += bytes.byteLength;
  });
  socket.on('end', () => socket.end(String(byteCount)));
  socket.on('error', () => {});
}).listen(Number(process.argv[2]), '0.0.0.0', () => console.log('listening'));
