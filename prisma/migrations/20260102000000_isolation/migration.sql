-- What is wrong with a VM now, as its agent reports it: [{kind, since, detail}]. Read with the VM and never searched by.
ALTER TABLE vms ADD COLUMN conditions jsonb NOT NULL DEFAULT '[]';
