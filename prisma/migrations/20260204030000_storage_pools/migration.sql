-- Pools that hosts keep volumes on, volumes on them, and snapshots of those.

-- One row per pool: its id is made by the agent that made the pool, and lies on it.
CREATE TABLE storage_pools (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  driver text NOT NULL CHECK (driver IN ('dir', 'shared-dir')),
  -- The only host that may tell of a pool that is not shared: the first that did. Null: any host may.
  host_id uuid REFERENCES hosts (id),
  description text NOT NULL DEFAULT '',
  capabilities jsonb NOT NULL,
  overcommit_percent int NOT NULL DEFAULT 200 CHECK (overcommit_percent >= 100),
  trash_keep_days int NOT NULL DEFAULT 7 CHECK (trash_keep_days >= 0),
  -- Sizes of its volumes and snapshots, kept by the statements that make and end them: it decides races for the last room.
  reserved_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0),
  -- When its volumes were last compared with what is on it, and its trash emptied.
  swept_at timestamptz NOT NULL DEFAULT now(),
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((driver = 'dir') = (host_id IS NOT NULL))
);

-- What each host says of the pools that its agent was started with. A pool that it never could open has no id yet.
CREATE TABLE host_storage_pools (
  host_id uuid NOT NULL REFERENCES hosts (id),
  name text NOT NULL,
  pool_id uuid REFERENCES storage_pools (id),
  total_bytes bigint NOT NULL DEFAULT 0,
  free_bytes bigint NOT NULL DEFAULT 0,
  allocated_bytes bigint NOT NULL DEFAULT 0,
  trashed_bytes bigint NOT NULL DEFAULT 0,
  is_above_high_water boolean NOT NULL DEFAULT false,
  -- Why the host cannot use it; null: it can.
  fault text,
  PRIMARY KEY (host_id, name)
);
CREATE INDEX host_storage_pools_by_pool ON host_storage_pools (pool_id);

-- Pools that the host can use now, sorted: what placement goes by, so that its feed tells of a change.
ALTER TABLE hosts ADD COLUMN storage_pool_ids uuid[] NOT NULL DEFAULT '{}';

-- A volume on a pool is a thing of its own, with a name, that a VM may have. One without a pool is a disk of its VM, as before.
ALTER TABLE volumes
  ALTER COLUMN vm_id DROP NOT NULL,
  ALTER COLUMN role DROP NOT NULL,
  ADD COLUMN pool_id uuid REFERENCES storage_pools (id),
  ADD COLUMN name text,
  ADD COLUMN state text CHECK (state IN ('creating', 'available', 'updating', 'trashed', 'retained')),
  ADD COLUMN source jsonb,
  -- The volume whose layers a linked clone rests on.
  ADD COLUMN parent_volume_id uuid REFERENCES volumes (id),
  ADD COLUMN goes_with_vm boolean NOT NULL DEFAULT false,
  -- Counts intents, as that of a VM does, and fences them on the pool.
  ADD COLUMN generation bigint NOT NULL DEFAULT 1,
  -- Counts uses by VMs; the pool gives the volume to the highest.
  ADD COLUMN claim_epoch bigint NOT NULL DEFAULT 0,
  ADD COLUMN operation_id uuid REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
  ADD COLUMN failure jsonb,
  ADD COLUMN trashed_at timestamptz,
  ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
  ADD CONSTRAINT volumes_local_or_pooled CHECK (
    CASE WHEN pool_id IS NULL THEN vm_id IS NOT NULL AND role IS NOT NULL
         ELSE name IS NOT NULL AND state IS NOT NULL END),
  ADD CONSTRAINT volumes_used_with_role CHECK ((vm_id IS NULL) = (role IS NULL)),
  ADD CONSTRAINT volumes_trash_is_unused CHECK (state NOT IN ('trashed', 'retained') OR vm_id IS NULL OR deleted_at IS NOT NULL);
-- The name of one in the trash stays taken: it can be restored.
CREATE UNIQUE INDEX volumes_by_name ON volumes (project_id, name)
  WHERE pool_id IS NOT NULL AND deleted_at IS NULL AND state <> 'retained';
CREATE INDEX volumes_pooled_by_project ON volumes (project_id, id) WHERE pool_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX volumes_by_pool ON volumes (pool_id, id) WHERE deleted_at IS NULL;
CREATE INDEX volumes_by_parent ON volumes (parent_volume_id) WHERE parent_volume_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX volumes_in_trash ON volumes (trashed_at) WHERE state = 'trashed' AND deleted_at IS NULL;

CREATE TABLE volume_snapshots (
  id uuid PRIMARY KEY,
  -- Of one instant.
  set_id uuid NOT NULL,
  volume_id uuid NOT NULL REFERENCES volumes (id),
  project_id uuid NOT NULL REFERENCES projects (id),
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('creating', 'available', 'deleting')),
  size_bytes bigint NOT NULL CHECK (size_bytes > 0),
  was_frozen boolean NOT NULL DEFAULT false,
  operation_id uuid REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX volume_snapshots_by_name ON volume_snapshots (volume_id, name) WHERE deleted_at IS NULL;
CREATE INDEX volume_snapshots_by_project ON volume_snapshots (project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX volume_snapshots_by_set ON volume_snapshots (set_id) WHERE deleted_at IS NULL;
