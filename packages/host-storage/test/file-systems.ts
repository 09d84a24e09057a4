import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Scratch {
  /** An empty folder of its own each time. */
  newFolder(): string;
  remove(): void;
}

export function openScratch(): Scratch {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-storage-')));
  return { newFolder: () => mkdtempSync(join(root, 'pool-')), remove: () => rmSync(root, { recursive: true }) };
}

/** A small file system in the memory; null and a line where this user may not mount one. */
export function openTmpfs(sizeMib: number): Scratch | null {
  return mounted(['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'kvorum-test']);
}

/** A file system that shares blocks between files; null and a line where the machine has none. */
export function openBtrfs(): Scratch | null {
  const image = join(realpathSync(tmpdir()), `kvorum-btrfs-${process.pid}.img`);
  writeFileSync(image, '');
  truncateSync(image, 256 * 1024 * 1024);
  if (spawnSync('mkfs.btrfs', ['-q', image], { stdio: 'ignore' }).status !== 0) {
    rmSync(image);
    console.log('skipped: there is no mkfs.btrfs here');
    return null;
  }
  const scratch = mounted(['-t', 'btrfs', '-o', 'loop', image]);
  // Once mounted, the kernel holds the file by its loop device.
  rmSync(image);
  return scratch;
}

function mounted(args: readonly string[]): Scratch | null {
  const point = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-mount-')));
  if (spawnSync('mount', [...args, point], { stdio: 'ignore' }).status !== 0) {
    rmSync(point, { recursive: true });
    console.log(`skipped: mount ${args.slice(0, 2).join(' ')} is not possible here`);
    return null;
  }
  let count = 0;
  return {
    newFolder: () => {
      count += 1;
      const folder = join(point, `pool-${count}`);
      mkdirSync(folder);
      return folder;
    },
    remove: () => {
      execFileSync('umount', [point]);
      rmSync(point, { recursive: true });
    },
  };
}
