// Runs in a guest: sends so many bytes, and prints what the server says of them and after how many ms.
import { connect } from 'node:net';

const [, , host, port, byteCount] = process.argv;
const socket = connect({ host, port: Number(port) });
const startedMs = performance.now();
socket.end(Buffer.alloc(Number(byteCount)));
socket.on('data', (bytes) =>
  console.log(JSON.stringify({ byteCount: Number(bytes.toString()), tookMs: performance.now() - startedMs })),
);
