import { connect } from 'node:net';
import { pngRefusal } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestSocket } from '../../apps/api/test/test-socket.js';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { operationEnd, type Site, startSite } from './site.js';
import { openTerminal } from './terminal.js';

// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 180_000;
const ANSWER_MS_MAX = 60_000;

/** One boot of a Linux guest with a real qemu-ga; the tests use it one after the other. */
describe('the consoles and the agent of a Linux guest', () => {
  let site: Site;
  let vmId: string;

  const socketOf = async (kind: 'serial' | 'vnc') => {
    const { body } = await site.rest.expect(201, 'POST', `/v1/vms/${vmId}/console-tokens`, { kind });
    return openTestSocket(
      `${site.rest.url.replace('http', 'ws')}${String(body['path'])}?token=${String(body['token'])}`,
    );
  };
  const exec = async (...command: string[]) =>
    (await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/exec`, { command })).body;
  const guest = async () => (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body['guest'] as Guest;
  interface Guest {
    readonly agent: string;
    readonly interfaces: readonly { readonly name: string }[] | null;
  }

  beforeAll(async () => {
    site = await startSite({ hostNames: ['host-a'] });
    const imageId = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const flavorId = await site.createFlavor('small', 192, 256);
    const hardware = { display: { kind: 'vga' } };
    const created = await site.createVm({ name: 'seen', imageId, flavorId, hardware });
    vmId = created.vmId;
    expect(await operationEnd(site.rest, created.operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    await eventually('the guest agent answers', BOOT_MS_MAX, async () => (await guest()).agent === 'responding');
  });
  afterAll(() => site?.close());

  test('a program runs in the guest, and its output and exit code come back', async () => {
    expect(await exec('sh', '-c', 'echo out; echo err >&2; exit 3')).toEqual({
      exitCode: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
      isTruncated: false,
      hasTimedOut: false,
    });
  });

  test('a program that runs on is killed at its time limit', async () => {
    const body = { command: ['sleep', '600'], timeoutMs: 1_000 };
    const answer = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/exec`, body);
    expect(answer.body).toMatchObject({ hasTimedOut: true, signal: 9 });
    expect((await exec('sh', '-c', 'ps | grep -c "[s]leep 600"'))['stdout']).toBe('0\n');
  });

  test('a person at a terminal is heard by the guest, Ctrl-C goes to the guest, and Ctrl-] leaves the terminal as it was', async () => {
    await exec('sh', '-c', 'setsid sh -c "read line; echo heard \\$line" </dev/ttyS0 >/dev/ttyS0 2>&1 &');
    const terminal = openTerminal(site.rest, site.tokenFile, 'vm', 'attach', vmId, '--backlog', '0');
    try {
      await eventually('the connection', ANSWER_MS_MAX, () => terminal.text().includes('connected; Ctrl-] leaves'));
      terminal.type('\u0003');
      // The line of the guest says what came.
      await eventually('the key', ANSWER_MS_MAX, () => terminal.text().includes('^C'));
      terminal.type('hello\r');
      await eventually('the answer', ANSWER_MS_MAX, () => terminal.text().includes('heard hello'));
      terminal.type('\u001d');
      expect(await terminal.ended).toEqual({ exitCode: 0, isRestored: true });
      expect(terminal.text()).toContain('the session is over: left');
    } finally {
      terminal.close();
    }
  });

  test('a shell on the serial line answers what is typed, to everybody who looks', async () => {
    await exec('sh', '-c', 'setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1 &');
    const [typist, viewer] = [await socketOf('serial'), await socketOf('serial')];
    typist.send('echo answer=$((6*7))\r');
    for (const { text } of [typist, viewer]) {
      await eventually('the answer', ANSWER_MS_MAX, () => text().includes('answer=42'));
    }
    typist.close();
    viewer.close();
    const log = await site.rest.expect(200, 'GET', `/v1/vms/${vmId}/console`);
    expect(String(log.body['text'])).toContain('answer=42');
  });

  test('a viewer on this machine reaches the screen through the port that `vm vnc` offers, until Ctrl-C', async () => {
    const terminal = openTerminal(site.rest, site.tokenFile, 'vm', 'vnc', vmId);
    try {
      const port = await eventually(
        'the port',
        ANSWER_MS_MAX,
        () => /vnc:\/\/127\.0\.0\.1:(\d+)/.exec(terminal.text())?.[1],
      );
      const viewer = connect(Number(port), '127.0.0.1');
      let shown = '';
      viewer.on('data', (part) => {
        shown += part.toString('latin1');
      });
      await eventually('the greeting', ANSWER_MS_MAX, () => shown === 'RFB 003.008\n');
      viewer.destroy();
      terminal.type('\u0003');
      expect(await terminal.ended).toEqual({ exitCode: 130, isRestored: true });
    } finally {
      terminal.close();
    }
  });

  test('the screen is a PNG file, and speaks RFB', async () => {
    const answer = await fetch(`${site.rest.url}/v1/vms/${vmId}/screenshot`, {
      headers: { authorization: `Bearer ${site.rest.token}` },
    });
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(pngRefusal(new Uint8Array(await answer.arrayBuffer()))).toBeNull();
    const viewer = await socketOf('vnc');
    await eventually('the greeting', ANSWER_MS_MAX, () => viewer.text() === 'RFB 003.008\n');
    // RFC 6143 section 7.1: our version; then the server offers one kind of security, none.
    viewer.send('RFB 003.008\n');
    await eventually('the security types', ANSWER_MS_MAX, () => viewer.text() === 'RFB 003.008\n\u0001\u0001');
    viewer.close();
  });

  test('the interfaces of the guest are in the VM', async () => {
    await eventually('the interfaces', ANSWER_MS_MAX, async () => (await guest()).interfaces !== null);
  });

  test('frozen, the guest writes nothing; thawed in time, the freeze was whole', async () => {
    const frozen = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/freeze`, { durationMs: 60_000 });
    expect(frozen.body['fileSystemCount']).toBe(1);
    expect((await site.rest.send('POST', `/v1/vms/${vmId}/exec`, { command: ['true'] })).status).toBe(502);
    const { freezeId } = frozen.body;
    const thawed = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/thaw`, { freezeId });
    expect(thawed.body).toEqual({ fileSystemCount: 1, wasUnbroken: true });
    expect(await exec('true')).toMatchObject({ exitCode: 0 });
  });

  test('a guest that was frozen when its agent was killed is thawed by the next one, long before the deadline', async () => {
    const frozen = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/freeze`, { durationMs: 60_000 });
    await site.hosts[0]?.restartAgent('kill');
    await eventually('the guest runs programs again', 30_000, async () => {
      const answer = await site.rest.send('POST', `/v1/vms/${vmId}/exec`, { command: ['sync'] });
      return answer.status === 200;
    });
    const { freezeId } = frozen.body;
    const thawed = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/thaw`, { freezeId });
    expect(thawed.body).toMatchObject({ wasUnbroken: false });
  });

  test('a session ends with the VM, and says so', async () => {
    const viewer = await socketOf('serial');
    await site.rest.expect(202, 'POST', `/v1/vms/${vmId}/stop`, { graceMs: 0 });
    expect(await viewer.closed).toEqual({ code: 1000, reason: 'the VM has stopped' });
  });
});
