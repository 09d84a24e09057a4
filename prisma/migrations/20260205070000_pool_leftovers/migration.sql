-- What lies aside on a storage pool is a leftover as well: one, whichever host has told of it last.
ALTER TABLE leftovers
  ADD COLUMN pool_id uuid REFERENCES storage_pools (id),
  -- Of a file whose name says nothing.
  ALTER COLUMN owner_id DROP NOT NULL,
  DROP CONSTRAINT leftovers_kind_check,
  DROP CONSTRAINT leftovers_host_id_kind_name_key,
  ADD CONSTRAINT leftovers_kind_check CHECK (kind IN ('disks', 'disk', 'firmware', 'vm', 'template', 'volume')),
  ADD CONSTRAINT leftovers_of_pools CHECK ((kind = 'volume') = (pool_id IS NOT NULL)),
  ADD CONSTRAINT leftovers_have_owners CHECK (kind = 'volume' OR owner_id IS NOT NULL);
CREATE UNIQUE INDEX leftovers_by_host ON leftovers (host_id, kind, name) WHERE pool_id IS NULL;
CREATE UNIQUE INDEX leftovers_by_pool ON leftovers (pool_id, name) WHERE pool_id IS NOT NULL;
