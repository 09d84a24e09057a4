// Runs in a guest without an address: asks for one by DHCP (RFC 2131) and prints what is offered as JSON, or null.
import { createSocket } from 'node:dgram';

const [, , macAddress, waitMs] = process.argv;
const MESSAGE_BYTES = 300;
const ROUND_MS = 1000;
const OPTIONS_AT = 240;
const message = Buffer.alloc(MESSAGE_BYTES);
message.set([1, 1, 6, 0], 0);
message.writeUInt32BE(0x6b766f72, 4);
message.writeUInt16BE(0x8000, 10); // answer by broadcast
message.set(
  macAddress.split(':').map((octet) => Number.parseInt(octet, 16)),
  28,
);
message.writeUInt32BE(0x63825363, 236);
message.set([53, 1, 1, 55, 5, 1, 3, 6, 15, 26, 255], OPTIONS_AT);

const socket = createSocket('udp4');
const answer = (offer) => {
  console.log(JSON.stringify(offer));
  process.exit(0);
};
socket.on('message', (reply) => {
  const options = {};
  for (let at = OPTIONS_AT; at < reply.length && reply[at] !== 255; at += 2 + reply[at + 1]) {
    options[reply[at]] = [...reply.subarray(at + 2, at + 2 + reply[at + 1])];
  }
  answer({ address: [...reply.subarray(16, 20)].join('.'), options });
});
socket.bind(68, '0.0.0.0', () => {
  socket.setBroadcast(true);
  const ask = () => socket.send(message, 67, '255.255.255.255');
  ask();
  setInterval(ask, ROUND_MS);
});
setTimeout(() => answer(null), Number(waitMs));
