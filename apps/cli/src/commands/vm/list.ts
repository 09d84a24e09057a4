import type { VmsQuery } from '@kvorum/client';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { addPageOptions, type PageOptions, readPages } from '../../list-pages.js';
import { given } from '../../option-values.js';
import { resolveHost, resolveOptional, resolveProject, resolveVmGroup } from '../../resolve-name.js';
import { VM_COLUMNS } from './describe-vm.js';

interface ListOptions extends PageOptions {
  readonly project?: string;
  readonly host?: string;
  readonly group?: string;
  readonly state?: NonNullable<VmsQuery['state']>;
}

export const addVmList: AddVerb = (vm, cli) => {
  addPageOptions(vm.command('list'))
    .description('List VMs')
    .option('--project <project>', 'name or id')
    .option('--host <host>', 'on this host: name or id')
    .option('--group <group>', 'in this VM group: name or id')
    .option('--state <state>', 'such as running')
    .addHelpText('after', examples('kvorum vm list --host host-a --state running'))
    .action(async (options: ListOptions) => {
      const client = cli.connect();
      const filter = given({
        projectId: await resolveOptional(resolveProject, client, options.project),
        hostId: await resolveOptional(resolveHost, client, options.host),
        vmGroupId: await resolveOptional(resolveVmGroup, client, options.group),
        state: options.state,
      });
      cli.showPage(await readPages(options, (page) => client.vms.list({ ...filter, ...page })), VM_COLUMNS);
    });
};
