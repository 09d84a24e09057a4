import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const ANSWER_MS_MAX = 30_000;
const SYNC_ID = 4711;

/**
 * Starts a shell script in a guest through its QEMU guest agent and does not wait for its end. Nobody else may hold the
 * channel: QEMU serves one at a time, so the host's agent must be closed.
 */
export function startInGuest(socketPath: string, script: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const settle = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const timer = setTimeout(() => settle(new Error('the guest agent did not answer')), ANSWER_MS_MAX);
    socket.on('error', settle);
    const send = (command: object) => socket.write(`${JSON.stringify(command)}\n`);
    createInterface({ input: socket }).on('line', (line) => {
      // Leftovers of an earlier session may come first; 0xff precedes the answer to a sync.
      const answer = JSON.parse(line.replace(/^[^{]*/, '')) as { return?: unknown; error?: unknown };
      if (answer.error !== undefined) settle(new Error(JSON.stringify(answer.error)));
      else if (answer.return === SYNC_ID) {
        send({ execute: 'guest-exec', arguments: { path: '/bin/sh', arg: ['-c', script] } });
      } else if (typeof answer.return === 'object' && 'pid' in (answer.return ?? {})) settle();
    });
    send({ execute: 'guest-sync', arguments: { id: SYNC_ID } });
  });
}
