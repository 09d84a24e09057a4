// Runs in a guest: keeps one connection to an echo, says a byte each 100 ms, and writes how many came back into a file. Prints a line
// once the first one has.
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';

const [, , host, port, file] = process.argv;
const PAUSE_MS = 100;
let count = 0;
const socket = connect({ host, port: Number(port) });
socket.on('error', () => {});
socket.on('connect', () => setInterval(() => socket.write('.'), PAUSE_MS));
socket.on('data', (bytes) => {
  if (count === 0) console.log('talking');
  count += bytes.length;
  writeFileSync(file, String(count));
});
