import { describe, expect, it } from 'vitest';
import { openDouble } from './double.js';

describe('help', () => {
  it('lists commands, environment and exit codes', async () => {
    const { run } = await openDouble({});
    const { exitCode, stdout, stderr } = await run('--help');
    expect([exitCode, stderr]).toEqual([0, '']);
    for (const text of ['vm ', 'operation ', 'KVORUM_TOKEN_FILE', 'NO_COLOR', 'Exit codes:', '130 ']) {
      expect(stdout).toContain(text);
    }
  });

  it.each([
    'login',
    'whoami',
    'vm',
    'vm create',
    'vm stop',
    'vm console',
    'host enrol',
    'flavor create',
    'image upload',
    'operation watch',
    'event watch',
    'project create',
    'token create',
  ])('of %s ends well and shows how -o is used', async (command) => {
    const { run } = await openDouble({});
    const { exitCode, stdout } = await run(`${command} --help`);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('--output <format>');
  });

  it('of a verb', async () => {
    const { run } = await openDouble({});
    expect((await run('vm stop --help')).stdout).toMatchInlineSnapshot(`
      "Usage: kvorum vm stop [options] <vm>

      Stop a VM: press the power button, and stop it hard when the time is over

      Arguments:
        vm                     name or id

      Options:
        --grace <time>         how long the guest may take to shut down, such as 30s;
                               then it is stopped hard
        --force                stop it hard at once
        --wait                 until it is done
        -h, --help             display help for command

      Global Options:
        -V, --version          output the version number
        -o, --output <format>  json: exactly what the API answered (choices: "table",
                               "json", default: "table")

      Examples:
        $ kvorum vm stop web-1 --grace 30s --wait
        $ kvorum vm stop web-1 --force
      "
    `);
  });

  it.each([
    ['no command', ''],
    ['an unknown command', 'frobnicate'],
    ['an unknown verb', 'vm frobnicate'],
    ['no verb', 'vm'],
    ['an unknown option', 'vm list --colour'],
    ['a missing argument', 'vm get'],
    ['a missing option', 'vm create web-1 --flavor small'],
    ['an argument too many', 'vm get a b'],
    ['an unknown output format', 'vm list -o yaml'],
    ['a time without a unit', 'vm stop a --grace 30'],
    ['two options that exclude each other', 'vm stop 019a0000-0000-7000-8000-000000000001 --force --grace 3s'],
  ])('is pointed to by %s, and nothing is sent', async (_name, args) => {
    const { run, calls } = await openDouble({});
    const { exitCode, stderr, stdout } = await run(args);
    expect([exitCode, stdout, calls]).toEqual([2, '', []]);
    expect(stderr).not.toBe('');
  });
});
