import { KvorumError } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';
import { formatPlacement } from '../placement/describe-placement.js';

export const addVmExplain: AddVerb = (vm, cli) => {
  vm.command('explain')
    .description('Say why a VM is on its host, and why not on others')
    .argument('<vm>', 'name or id')
    .addHelpText('after', examples('kvorum vm explain web-1', 'kvorum vm explain web-1 -o json'))
    .action(async (nameOrId: string) => {
      const client = cli.connect();
      // Newest first: the decision that holds.
      const { items } = await client.placements.list({ vmId: await resolveVm(client, nameOrId), limit: 1 });
      const [newest] = items;
      if (newest === undefined) throw noPlacement(nameOrId);
      cli.showText(newest, formatPlacement);
    });
};

const noPlacement = (nameOrId: string): KvorumError =>
  new KvorumError({
    code: 'not_found',
    status: null,
    detail: `no decision is kept for the VM "${nameOrId}"`,
    remedy: 'Of VMs that were never made, look for the refusal: kvorum placement list --outcome refused',
  });
