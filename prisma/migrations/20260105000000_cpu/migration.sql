-- What the agent reports: the mainboard a VM has since its first start.
ALTER TABLE vms ADD COLUMN machine_type text;

-- What a host can do beyond amounts (CPU models, machine types), derived from its facts as they are written. Hosts of one
-- kind have equal lists and so equal hashes: who reads all hosts takes each list once.
ALTER TABLE hosts
  ADD COLUMN traits text[] NOT NULL DEFAULT '{}',
  ADD COLUMN traits_sha256 text NOT NULL DEFAULT '';

-- Hosts between which VMs are to be able to move. A host is in one group or in none.
CREATE TABLE host_groups (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  description text NOT NULL DEFAULT '',
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE hosts ADD COLUMN host_group_id uuid REFERENCES host_groups (id);
CREATE INDEX hosts_by_group ON hosts (host_group_id) WHERE host_group_id IS NOT NULL;
