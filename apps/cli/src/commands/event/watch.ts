import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { Interrupted } from '../../interrupted.js';
import { given } from '../../option-values.js';
import { printable } from '../../printable.js';

interface WatchOptions {
  readonly type?: string;
  readonly resource?: string;
  readonly after?: string;
}

export const addEventWatch: AddVerb = (event, cli) => {
  event
    .command('watch')
    .description('Follow what changes, until Ctrl-C; with -o json one event per line')
    .option('--type <types>', 'such as vm.state,operation')
    .option('--resource <id>', 'only events about this object')
    .option('--after <event>', 'begin after this event; default: from now on')
    .addHelpText('after', examples('kvorum event watch --type vm', 'kvorum event watch -o json | jq .type'))
    .action(async ({ type, resource: resourceId, after }: WatchOptions) => {
      const client = cli.connect();
      await cli
        .untilInterrupt('', async (signal) => {
          for await (const one of client.events.watch({ ...given({ type, resourceId, after }), signal })) {
            const line =
              cli.format === 'json'
                ? JSON.stringify(one)
                : printable([one.at, one.type, one.resourceId, JSON.stringify(one.data)].join('  '));
            cli.io.stdout.write(`${line}\n`);
          }
        })
        .catch((error: unknown) => {
          // Ctrl-C is how watching ends.
          if (!(error instanceof Interrupted)) throw error;
        });
    });
};
