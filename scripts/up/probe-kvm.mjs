// Prints what the driver finds out about KVM here, as JSON. A process of its own: the probe makes native calls.
import { openQemuDriver } from '../../packages/hypervisor-driver/dist/index.js';

const driver = await openQemuDriver({});
const { kvm } = await driver.observeHost();
process.stdout.write(JSON.stringify({ isProven: kvm.isProven, reason: kvm.reason }));
process.exit(0);
