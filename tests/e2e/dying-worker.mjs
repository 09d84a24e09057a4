// A worker that kills itself with SIGKILL at one named point, for crash tests. It is the real worker; only the observer is ours.
// Usage: node dying-worker.mjs <vm.create/ensure-disk> <beforeStep|afterRun|beforeUndo|afterUndo|never>
import { closeControlPlane, openControlPlane, startWorker } from '@kvorum/control-plane';

const [dieAtStep, dieAtPoint] = process.argv.slice(2);
const environment = process.env;
const log = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields) };
const controlPlane = await openControlPlane({
  databaseUrl: environment['KVORUM_DATABASE_URL'],
  ...(environment['KVORUM_REDIS_URL'] ? { redisUrl: environment['KVORUM_REDIS_URL'] } : {}),
  dataDir: environment['KVORUM_DATA_DIR'],
  importDir: `${environment['KVORUM_DATA_DIR']}/import`,
  gatewayAddress: environment['TEST_GATEWAY_ADDRESS'],
  enrolAddress: environment['TEST_ENROL_ADDRESS'],
  log,
});
const dieAt = (point) => (operation, step) => {
  if (point === dieAtPoint && `${operation.kind}/${step.name}` === dieAtStep) process.kill(process.pid, 'SIGKILL');
};
const worker = await startWorker(controlPlane, {
  concurrency: 4,
  leaseMs: 3000,
  observer: {
    beforeStep: dieAt('beforeStep'),
    afterRun: dieAt('afterRun'),
    beforeUndo: dieAt('beforeUndo'),
    afterUndo: dieAt('afterUndo'),
  },
});
console.log(JSON.stringify({ event: 'working' }));
process.once('SIGTERM', async () => {
  await worker.close(5000);
  await closeControlPlane(controlPlane);
  process.exit(0);
});
