-- CPUs and huge pages that VMs have for themselves, counted as vCPUs, memory and disks are. Agents tell what a host has with
-- their next report; until then it offers none.
ALTER TABLE hosts
  ADD COLUMN capacity_dedicated_cpu_count int NOT NULL DEFAULT 0,
  ADD COLUMN capacity_huge_pages_2mib_bytes bigint NOT NULL DEFAULT 0,
  ADD COLUMN capacity_huge_pages_1gib_bytes bigint NOT NULL DEFAULT 0,
  ADD COLUMN reserved_dedicated_cpu_count int NOT NULL DEFAULT 0 CHECK (reserved_dedicated_cpu_count >= 0),
  ADD COLUMN reserved_huge_pages_2mib_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_huge_pages_2mib_bytes >= 0),
  ADD COLUMN reserved_huge_pages_1gib_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_huge_pages_1gib_bytes >= 0),
  -- SMT: what one CPU of a VM's own takes of such a host depends on it.
  ADD COLUMN threads_per_core int NOT NULL DEFAULT 1 CHECK (threads_per_core >= 1);

ALTER TABLE reservations
  ADD COLUMN dedicated_cpu_count int NOT NULL DEFAULT 0 CHECK (dedicated_cpu_count >= 0),
  ADD COLUMN huge_pages_2mib_bytes bigint NOT NULL DEFAULT 0 CHECK (huge_pages_2mib_bytes >= 0),
  ADD COLUMN huge_pages_1gib_bytes bigint NOT NULL DEFAULT 0 CHECK (huge_pages_1gib_bytes >= 0);

-- vms.hardware says it now, in its part cpuPolicy. What was pinned stays so.
UPDATE vms SET hardware = jsonb_set(hardware, '{cpuPolicy}', '{"policy": "dedicated"}') WHERE pin_vcpus;
ALTER TABLE vms
  DROP COLUMN pin_vcpus,
  -- The agent's report: which part of its host a running VM was given (VmRunsOn of the schema package).
  ADD COLUMN runs_on jsonb;
