// Runs in a guest: opens so many connections, sends half a request on each and what is none on the last, waits a moment, and goes.
import { connect } from 'node:net';

const [, , host, port, count] = process.argv;
const HOLD_MS = 500;
for (let index = 0; index < Number(count); index += 1) {
  const socket = connect({ host, port: Number(port) });
  socket.on('error', () => {});
  socket.write(index === Number(count) - 1 ? '\0\r\n\r\n' : 'GET /latest/ HTTP/1.1\r\nX: ');
}
setTimeout(() => process.exit(0), HOLD_MS);
