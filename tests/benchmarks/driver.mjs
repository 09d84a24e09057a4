// What the hypervisor driver and the agent cost, each figure beside its physical limit in the same run: a QEMU started by hand with the same
// arguments, the same QMP command over a bare socket, the same system call in C. Usage: npm run bench:driver  (after a build; some
// 2 min)
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { measureAgent } from './driver/agent-cost.mjs';
import { measureBalloon } from './driver/balloon-reaction.mjs';
import { measureCalls } from './driver/call-cost.mjs';
import { measureLaunch } from './driver/launch-time.mjs';
import { printTable } from './percentiles.mjs';

const folder = mkdtempSync('/tmp/kvd-');
try {
  for (const [title, measure] of [
    ['From the request to a monitor that answers', measureLaunch],
    ['System calls through FFI', measureCalls],
    ['A balloon: from the request to memory that the host has again', measureBalloon],
    ['An agent with idle VMs', measureAgent],
  ]) {
    const rows = await measure(path.join(folder));
    console.log(`\n${title}\n`);
    printTable(rows);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
