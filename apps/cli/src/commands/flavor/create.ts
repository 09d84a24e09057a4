import { parseByteSize } from '../../byte-size.js';
import type { AddVerb } from '../../cli.js';
import { examples } from '../../examples.js';
import { parseCount } from '../../option-values.js';
import { describeFlavor } from './describe-flavor.js';

interface CreateOptions {
  readonly vcpus: number;
  readonly memory: number;
  readonly disk: number;
}

export const addFlavorCreate: AddVerb = (flavor, cli) => {
  flavor
    .command('create')
    .description('Make a size of VM')
    .argument('<name>', 'a DNS label')
    .requiredOption('--vcpus <count>', 'virtual CPUs', parseCount)
    .requiredOption('--memory <size>', 'such as 2GiB', parseByteSize)
    .requiredOption('--disk <size>', 'root disk, such as 20GiB', parseByteSize)
    .addHelpText('after', examples('kvorum flavor create small --vcpus 2 --memory 2GiB --disk 20GiB'))
    .action(async (name: string, { vcpus: vcpuCount, memory: memoryBytes, disk: rootDiskBytes }: CreateOptions) =>
      cli.show(await cli.connect().flavors.create({ name, vcpuCount, memoryBytes, rootDiskBytes }), describeFlavor),
    );
};
