-- Memory that a VM may be asked to give back. No minimum: the host's policy leaves the VM alone, as it does with VMs that
-- were made before there was one.
ALTER TABLE vms
  ADD COLUMN balloon_minimum_bytes bigint CHECK (balloon_minimum_bytes > 0 AND balloon_minimum_bytes <= memory_bytes),
  ADD COLUMN balloon_shares int NOT NULL DEFAULT 1000 CHECK (balloon_shares > 0),
  -- The agent's report, as guest_agent and balloon_bytes are.
  ADD COLUMN balloon_status text CHECK (balloon_status IN ('active', 'no-driver', 'not-answering', 'disabled')),
  ADD COLUMN working_set_bytes bigint;
