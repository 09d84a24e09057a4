import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { EXIT_CODES } from '../../exit-code.js';
import { formatHostCheck, hostCheckOf } from './format-host-check.js';

export const addHostCheck: AddVerb = (host, cli) => {
  const program = host.parent;
  host
    .command('check')
    .description('Find out whether this machine can run VMs, and prove it; needs no control plane')
    .option('--json', 'the same as -o json')
    .addHelpText('after', examples('sudo kvorum host check', 'kvorum host check --json'))
    .addHelpText('after', '\nExits with 0 if KVM is usable here and with 1 if it is not.')
    .action(async (options: { readonly json?: true }) => {
      if (options.json === true) program?.setOptionValue('output', 'json');
      // Only here: the driver brings a native library that no other verb needs.
      const { openQemuDriver } = await import('@kvorum/hypervisor-driver');
      const check = hostCheckOf(await openQemuDriver().observeHost());
      cli.showText(check, formatHostCheck);
      cli.exitCode = check.isKvmUsable ? EXIT_CODES.ok.code : EXIT_CODES.failed.code;
    });
};
