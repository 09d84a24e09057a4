-- The machine a VM is, beyond its size: VmHardware of the schema package, read through that shape alone. VMs that were made
-- before there was any have a plain machine, which is what an empty object means.
ALTER TABLE vms ADD COLUMN hardware jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(hardware) = 'object');
