import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';
import { addTemplateEndOptions, endTemplateVerb, type TemplateEndOptions } from '../vm-template/end-template-verb.js';

interface FreezeTemplateOptions extends TemplateEndOptions {
  readonly stop?: boolean;
}

export const addVmFreezeTemplate: AddVerb = (vm, cli) => {
  addTemplateEndOptions(vm.command('freeze-template'))
    .description('Make a template of a running VM: others can be forked of it, and go on from this instant')
    .argument('<vm>', 'name or id')
    .argument('<name>', 'of the template, a DNS label')
    .option('--stop', 'stop the VM hard afterwards; without, it goes on')
    .addHelpText(
      'after',
      examples(
        'kvorum vm freeze-template web-1 web-warm --dry-run',
        'kvorum vm freeze-template web-1 web-warm --wait',
        'kvorum vm fork web-warm web-{2..9} --network shop --wait',
      ),
    )
    .action(async (nameOrId: string, name: string, options: FreezeTemplateOptions) => {
      const client = cli.connect();
      const vmId = await resolveVm(client, nameOrId);
      const body = { name, keepsRunning: options.stop !== true };
      await endTemplateVerb(cli, client, options, (query, call) => client.vmTemplates.freeze(vmId, body, query, call));
    });
};
