import { writeFile } from 'node:fs/promises';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { resolveVm } from '../../resolve-name.js';

export const addVmScreenshot: AddVerb = (vm, cli) => {
  vm.command('screenshot')
    .description('Save what is on the screen of a VM as a PNG file')
    .argument('<vm>', 'name or id')
    .requiredOption('-f, --file <file>', 'where to; a file that is there is replaced')
    .addHelpText('after', examples('kvorum vm screenshot web-1 -f web-1.png'))
    .action(async (nameOrId: string, { file }: { readonly file: string }) => {
      const client = cli.connect();
      const png = await client.vms.takeScreenshot(await resolveVm(client, nameOrId));
      await writeFile(file, png);
      cli.show({ file, sizeBytes: png.byteLength }, (shot) => [
        ['file', shot.file],
        ['bytes', shot.sizeBytes],
      ]);
    });
};
