// npm run up: a whole site on this machine. PostgreSQL, a control plane, two hosts, one Linux VM that boots. Stays until Ctrl-C;
// with --once it deletes the VM and ends. Runs on a fresh clone: nothing here may import an npm package before `npm ci`.
import os from 'node:os';
import { LOG_DIR, makeStateDir } from './checkout.mjs';
import { prepare } from './prepare.mjs';
import { createProgress, formatPhases } from './progress/progress-display.mjs';
import { createVm, ensureFlavor, ensureImage, removeOldVm, waitForGuest } from './up/demo-vm.mjs';
import { endQemuProcesses, endServices } from './up/leftovers.mjs';
import { describeDeath } from './up/site-process.mjs';
import { claimCheckout, releaseCheckout, TOKEN_FILE } from './up/site-state.mjs';
import { HOST_NAMES, probeKvm, startControlPlane, startDatabase, startHost, waitForHost } from './up/start-site.mjs';
import { stopSite } from './up/stop-site.mjs';

const STATUS_INTERVAL_MS = 30_000;
const CONSOLE_LINES = 12;
const INTERRUPTED_EXIT_CODE = 130; // as a shell reports SIGINT
const KNOWN_ARGUMENTS = new Set(['--once', '--help']);
const HELP = `npm run up [-- --once]
  Starts a site on this machine and boots a Linux VM on it. Ctrl-C ends it.
  --once  delete the VM and end as soon as the guest is up`;

class Interrupted extends Error {}

const progress = createProgress();
const ending = new AbortController();
const site = { api: null, url: null, demoVmId: null, hosts: [], controlPlane: null, postgres: null, isUp: false };

const listenForSignals = () => {
  let count = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(name, () => {
      count += 1;
      if (count === 1) ending.abort(new Interrupted());
      // The kernel ends services and PostgreSQL with us; `npm run down` finds VMs.
      else if (count === 3) process.exit(INTERRUPTED_EXIT_CODE);
      else progress.note('ending; once more to give up waiting (then run: npm run down)');
    });
  }
};

/** A service that dies ends the run. Attached as soon as it has started. */
const watch = (service) => {
  void service.exited.then((how) => {
    if (!ending.signal.aborted) ending.abort(new Error(describeDeath(service.name, how)));
  });
  return service;
};

const startEverything = async (signal) => {
  await progress.step('start PostgreSQL', async () => {
    await endServices(); // of a run that was killed
    await endQemuProcesses();
    const database = await startDatabase();
    site.postgres = database.server;
    site.databaseUrl = database.url;
    return { note: `private, port ${database.server.port}` };
  });
  const controlPlane = await progress.step('start the control plane', async () => {
    const started = await startControlPlane({ databaseUrl: site.databaseUrl, signal });
    site.controlPlane = watch(started.service);
    Object.assign(site, { api: started.api, url: started.url });
    return { ...started, note: `migrated, ${started.url}` };
  });
  const kvm = await probeKvm();
  if (!kvm.isProven) {
    progress.note(
      `  KVM is not proven here (${kvm.reason}): both hosts get --allow-emulation, guests run 10 to 50 times slower`,
    );
  }
  await progress.step('start two hosts', async () => {
    for (const name of HOST_NAMES) {
      const options = { name, api: site.api, gateway: controlPlane.gateway, enrol: controlPlane.enrol, signal };
      site.hosts.push(watch(await startHost({ ...options, isEmulationAllowed: !kvm.isProven })));
    }
    const hosts = await Promise.all(HOST_NAMES.map((name) => waitForHost({ name, api: site.api, signal })));
    return {
      note: hosts.map((host) => `${host.name}: ${host.accelerator}, ${host.capacity.vcpuCount} vCPU`).join('; '),
    };
  });
};

const bootVm = async (guestImage, signal) => {
  const { api } = site;
  const image = await progress.step('import the image', () =>
    ensureImage({ api, file: guestImage.path, sha256: guestImage.sha256 }),
  );
  const flavor = await ensureFlavor({ api });
  const removedCount = await removeOldVm({ api, report: () => {} });
  if (removedCount > 0) progress.note('  deleted the VM of an interrupted run');
  const created = await progress.step('create the VM (POST /v1/vms)', (report) =>
    createVm({
      api,
      flavor,
      image,
      report,
      onAccepted: (vmId) => {
        site.demoVmId = vmId;
      },
    }),
  );
  return progress.step('boot until the guest says it is up', (report) =>
    waitForGuest({ api, vmId: created.id, report, signal }),
  );
};

const show = ({ vm, consoleText }) => {
  const lines = consoleText.trim().split('\n').slice(0, CONSOLE_LINES);
  progress.note(`\nThe guest's console:\n${lines.map((line) => `  │ ${line}`).join('\n')}`);
  progress.note(
    `\nVM ${vm.name} (${vm.id}) is ${vm.state} on ${vm.hostName} with ${vm.accelerator}: ${vm.vcpuCount} vCPU, ` +
      `${vm.memoryBytes / 1024 / 1024} MiB; its guest agent answers.`,
  );
  progress.note(`\nTime taken:\n${formatPhases(progress.phases)}`);
  progress.note(
    `\n  API            ${site.url}/v1\n  documentation  ${site.url}/docs\n  OpenAPI        ${site.url}/v1/openapi.json` +
      `\n  token          ${TOKEN_FILE} (admin)\n  logs           ${LOG_DIR}\n`,
  );
};

/** Says now and then how things are, until somebody ends it. */
const stay = async (signal) => {
  progress.note('Running until Ctrl-C, which deletes the VM and stops everything this started.');
  const startedAt = Date.now();
  const isOver = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  while (!signal.aborted) {
    let timer;
    await Promise.race([
      isOver,
      new Promise((resolve) => {
        timer = setTimeout(resolve, STATUS_INTERVAL_MS);
      }),
    ]);
    clearTimeout(timer);
    if (signal.aborted) break;
    const hosts = await site.api.list('/v1/hosts');
    const vms = await site.api.list('/v1/vms');
    const upHosts = hosts.filter((host) => host.connectivity === 'connected').length;
    const running = vms.filter((vm) => vm.state === 'running').length;
    const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
    progress.note(
      `up ${minutes} min: ${upHosts} of ${hosts.length} hosts connected, ${running} VMs running, load ${os.loadavg()[0].toFixed(1)}`,
    );
  }
  throw signal.reason;
};

const runSite = async (isOnce) => {
  const { signal } = ending;
  const images = await prepare({ progress, purpose: 'run', images: ['tiny'], signal });
  await startEverything(signal);
  show(await bootVm(images.tiny, signal));
  site.isUp = true;
  if (!isOnce) await stay(signal);
};

const main = async () => {
  const unknown = process.argv.slice(2).find((argument) => !KNOWN_ARGUMENTS.has(argument));
  if (unknown !== undefined || process.argv.includes('--help')) {
    console.log(unknown === undefined ? HELP : `unknown argument ${unknown}\n${HELP}`);
    return unknown === undefined ? 0 : 2;
  }
  makeStateDir();
  claimCheckout();
  listenForSignals();
  let failure = null;
  try {
    await runSite(process.argv.includes('--once'));
  } catch (thrown) {
    // A service's death also breaks calls that were under way: its own words say more.
    failure = ending.signal.aborted ? ending.signal.reason : thrown;
  }
  if (!ending.signal.aborted) ending.abort(new Interrupted());
  if (failure !== null && !(failure instanceof Interrupted)) console.error(`\n${failure.message}\n`);
  const failures = await stopSite(progress, site);
  releaseCheckout();
  for (const text of failures) console.error(text);
  if (failure instanceof Interrupted) progress.note('ended; nothing is left running');
  if (failure instanceof Interrupted && !site.isUp) return INTERRUPTED_EXIT_CODE;
  const isGood = (failure === null || failure instanceof Interrupted) && failures.length === 0;
  return isGood ? 0 : 1;
};

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
