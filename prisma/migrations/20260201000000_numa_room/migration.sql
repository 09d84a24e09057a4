-- What no VM has of each NUMA node of a host, as its agent says with every report: a list of objects in the order of the
-- nodes. NULL: not told. A change of it is news for placement (note_host_change compares all columns but a few).
ALTER TABLE hosts ADD COLUMN numa_nodes jsonb;

-- Few VMs have CPUs or huge pages of their own; the feed looks for those of each host that has changed.
CREATE INDEX reservations_with_nodes ON reservations (host_id)
  WHERE dedicated_cpu_count > 0 OR huge_pages_2mib_bytes > 0 OR huge_pages_1gib_bytes > 0;
