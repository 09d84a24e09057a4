// Runs in a guest: asks for a token and then for each path given, and prints [status, body] of each as JSON. Without paths: asks for one
// without a token. An address before the paths is asked from. "nothing" where nobody answers.
import { request } from 'node:http';
import { isIPv4 } from 'node:net';

const [first, ...others] = process.argv.slice(2);
const localAddress = first !== undefined && isIPv4(first) ? first : undefined;
const paths = localAddress === undefined ? [first, ...others].filter((path) => path !== undefined) : others;

const ask = (method, path, headers) =>
  new Promise((resolve) => {
    const asked = request(
      { host: '169.254.169.254', method, path, headers, localAddress, timeout: 3000 },
      (response) => {
        let body = '';
        response.on('data', (bytes) => {
          body += bytes;
        });
        response.on('end', () => resolve([response.statusCode, body]));
      },
    );
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve('nothing'));
    asked.end();
  });

const token = await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '60' });
if (paths.length === 0) console.log(JSON.stringify([await ask('GET', '/latest/user-data', {})]));
else if (token === 'nothing' || token[0] !== 200) console.log(JSON.stringify([token]));
else {
  const answers = [];
  for (const path of paths) answers.push(await ask('GET', path, { 'x-aws-ec2-metadata-token': token[1] }));
  console.log(JSON.stringify(answers));
}
