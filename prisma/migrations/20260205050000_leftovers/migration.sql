-- What hosts have found that belongs to nobody. One row per thing, as its host last told of it.

CREATE TABLE leftovers (
  id uuid PRIMARY KEY,
  host_id uuid NOT NULL REFERENCES hosts (id),
  -- disks, disk and firmware lie in quarantine on the host; vm and template: known to the host and not to the site.
  kind text NOT NULL CHECK (kind IN ('disks', 'disk', 'firmware', 'vm', 'template')),
  -- Of the entry in quarantine; of a VM or template its id.
  name text NOT NULL,
  -- Id of the VM whose it was, or of the template.
  owner_id uuid NOT NULL,
  size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
  first_seen_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  UNIQUE (host_id, kind, name)
);

-- When each host was last asked, so that it is asked again in time and by one process.
CREATE TABLE host_sweeps (
  host_id uuid PRIMARY KEY REFERENCES hosts (id),
  swept_at timestamptz NOT NULL
);
