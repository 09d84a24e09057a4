// Runs in a guest: prints what a server says, or "nothing" when there is no connection in time.
import { connect } from 'node:net';

const [, , host, port, waitMs, localAddress] = process.argv;
const answer = (text) => {
  console.log(text);
  process.exit(0);
};
const socket = connect({ host, port: Number(port), ...(localAddress === undefined ? {} : { localAddress }) });
socket.on('data', (bytes) => answer(bytes.toString()));
socket.on('error', () => answer('nothing'));
setTimeout(() => answer('nothing'), Number(waitMs));
