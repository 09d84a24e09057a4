-- The first schema. Rules that SQL itself can keep are kept here (CHECK, UNIQUE, foreign keys); the rest is in the stores.
-- Counters of what is used (projects.used_*, hosts.reserved_*) are changed only together with the rows they count, in one
-- statement or one transaction.

CREATE TABLE sites (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
-- One control plane, one site.
CREATE UNIQUE INDEX sites_only_one ON sites ((true));

CREATE TABLE projects (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  quota_vm_count int NOT NULL CHECK (quota_vm_count >= 0),
  quota_vcpu_count int NOT NULL CHECK (quota_vcpu_count >= 0),
  quota_memory_bytes bigint NOT NULL CHECK (quota_memory_bytes >= 0),
  quota_disk_bytes bigint NOT NULL CHECK (quota_disk_bytes >= 0),
  used_vm_count int NOT NULL DEFAULT 0 CHECK (used_vm_count >= 0),
  used_vcpu_count int NOT NULL DEFAULT 0 CHECK (used_vcpu_count >= 0),
  used_memory_bytes bigint NOT NULL DEFAULT 0 CHECK (used_memory_bytes >= 0),
  used_disk_bytes bigint NOT NULL DEFAULT 0 CHECK (used_disk_bytes >= 0),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_tokens (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
  project_id uuid REFERENCES projects (id),
  -- SHA-256 of a secret with 256 random bits: nothing to guess, so no slow hash is needed.
  secret_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(secret_sha256) = 32),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE hosts (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'cordoned', 'revoked')),
  connectivity text NOT NULL DEFAULT 'unreachable' CHECK (connectivity IN ('connected', 'unreachable')),
  cordon_reason text,
  address text NOT NULL,
  accelerator text CHECK (accelerator IN ('kvm', 'tcg')),
  agent_version text,
  facts jsonb,
  labels jsonb NOT NULL DEFAULT '{}',
  capacity_vcpu_count int NOT NULL DEFAULT 0 CHECK (capacity_vcpu_count >= 0),
  capacity_memory_bytes bigint NOT NULL DEFAULT 0 CHECK (capacity_memory_bytes >= 0),
  capacity_disk_bytes bigint NOT NULL DEFAULT 0 CHECK (capacity_disk_bytes >= 0),
  reserved_vcpu_count int NOT NULL DEFAULT 0 CHECK (reserved_vcpu_count >= 0),
  reserved_memory_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_memory_bytes >= 0),
  reserved_disk_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_disk_bytes >= 0),
  generation bigint NOT NULL DEFAULT 1,
  report_generation bigint NOT NULL DEFAULT 0,
  last_report_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX hosts_by_connection ON hosts (last_report_at) WHERE connectivity = 'connected';

CREATE TABLE host_enrolments (
  id uuid PRIMARY KEY,
  host_name text NOT NULL,
  secret_sha256 bytea NOT NULL UNIQUE CHECK (octet_length(secret_sha256) = 32),
  labels jsonb NOT NULL DEFAULT '{}',
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  host_id uuid REFERENCES hosts (id),
  -- What was issued, so that an agent that lost the answer can ask again with the same key.
  csr_sha256 bytea,
  certificate_pem text,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE host_certificates (
  fingerprint_sha256 text PRIMARY KEY,
  host_id uuid NOT NULL REFERENCES hosts (id),
  serial text NOT NULL,
  issued_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  revoked_reason text
);
CREATE INDEX host_certificates_by_host ON host_certificates (host_id);

CREATE TABLE flavors (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  vcpu_count int NOT NULL CHECK (vcpu_count > 0),
  memory_bytes bigint NOT NULL CHECK (memory_bytes > 0),
  root_disk_bytes bigint NOT NULL CHECK (root_disk_bytes > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Rows of deleted VMs go on naming the flavor they had.
  deleted_at timestamptz
);
CREATE UNIQUE INDEX flavors_name ON flavors (name) WHERE deleted_at IS NULL;

CREATE TABLE images (
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES projects (id),
  name text NOT NULL,
  is_public boolean NOT NULL DEFAULT false,
  state text NOT NULL CHECK (state IN ('uploading', 'available', 'failed', 'deleted')),
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  size_bytes bigint,
  virtual_size_bytes bigint,
  failure jsonb,
  labels jsonb NOT NULL DEFAULT '{}',
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CHECK (state <> 'available' OR (size_bytes IS NOT NULL AND virtual_size_bytes IS NOT NULL))
);
CREATE UNIQUE INDEX images_name_in_project ON images (project_id, name) WHERE deleted_at IS NULL;
CREATE INDEX images_by_sha256 ON images (sha256);

CREATE TABLE operations (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  project_id uuid REFERENCES projects (id),
  resource_kind text NOT NULL,
  resource_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'running', 'unwinding', 'succeeded', 'failed', 'cancelled', 'stuck')),
  input jsonb NOT NULL,
  progress jsonb,
  -- What people are shown: why it unwinds, failed, or is stuck.
  error jsonb,
  -- Why it turned round, kept while `error` tells of being stuck. Not null: it goes back, never forward again.
  unwind_cause jsonb,
  created_by text NOT NULL,
  cancel_requested_at timestamptz,
  -- The lease: who works on it, until when, and the token that fences whoever held it before.
  lease_owner text,
  lease_token bigint NOT NULL DEFAULT 0,
  lease_expires_at timestamptz,
  -- Not before this (backoff after a failed attempt).
  not_before timestamptz NOT NULL DEFAULT now(),
  -- Past this the operation turns to unwinding; past the second one it is stuck.
  deadline_at timestamptz NOT NULL,
  unwind_deadline_at timestamptz NOT NULL,
  -- How long each way may take: an operator who resumes or unwinds starts the clock anew.
  deadline_ms int NOT NULL CHECK (deadline_ms > 0),
  unwind_deadline_ms int NOT NULL CHECK (unwind_deadline_ms > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX operations_to_do ON operations (not_before) WHERE state IN ('queued', 'running', 'unwinding');
CREATE INDEX operations_by_resource ON operations (resource_id, id);
CREATE INDEX operations_by_project ON operations (project_id, id);
CREATE INDEX operations_by_state ON operations (state, id);

CREATE TABLE operation_steps (
  operation_id uuid NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  index int NOT NULL CHECK (index >= 0),
  name text NOT NULL,
  can_undo boolean NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'undoing', 'undone')),
  attempt int NOT NULL DEFAULT 0,
  output jsonb,
  error jsonb,
  started_at timestamptz,
  finished_at timestamptz,
  PRIMARY KEY (operation_id, index)
);

CREATE TABLE vms (
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES projects (id),
  name text NOT NULL,
  -- Owned by packages/schema/src/vm/vm-lifecycle.ts; no CHECK, so that the states are listed once.
  state text NOT NULL,
  generation bigint NOT NULL DEFAULT 1,
  epoch bigint NOT NULL DEFAULT 0,
  flavor_id uuid NOT NULL REFERENCES flavors (id),
  image_id uuid NOT NULL REFERENCES images (id),
  host_id uuid REFERENCES hosts (id),
  vcpu_count int NOT NULL CHECK (vcpu_count > 0),
  memory_bytes bigint NOT NULL CHECK (memory_bytes > 0),
  pin_vcpus boolean NOT NULL DEFAULT false,
  accelerator text CHECK (accelerator IN ('kvm', 'tcg')),
  labels jsonb NOT NULL DEFAULT '{}',
  failure jsonb,
  -- Checked at commit: the guarded change of the VM comes before the operation it is for.
  operation_id uuid REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
  -- The agent's report: its own columns, its own generation. Changes `state` only as an event of the lifecycle table.
  observed_power text,
  observed_epoch bigint NOT NULL DEFAULT 0,
  observed_at timestamptz,
  -- The last intent whose outcome is known: a report about an earlier one is old news and must not change `state`. Behind
  -- `generation` while an operation works, and after one that ended without knowing what it had done.
  settled_generation bigint NOT NULL DEFAULT 0,
  report_generation bigint NOT NULL DEFAULT 0,
  guest_agent text NOT NULL DEFAULT 'unknown' CHECK (guest_agent IN ('unknown', 'absent', 'responding')),
  guest_agent_answered_at timestamptz,
  balloon_bytes bigint,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX vms_name_in_project ON vms (project_id, name) WHERE deleted_at IS NULL;
CREATE INDEX vms_by_project ON vms (project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX vms_by_host ON vms (host_id, id) WHERE deleted_at IS NULL;
CREATE INDEX vms_by_state ON vms (state, id) WHERE deleted_at IS NULL;
CREATE INDEX vms_live ON vms (id) WHERE deleted_at IS NULL;

CREATE TABLE volumes (
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES projects (id),
  vm_id uuid NOT NULL REFERENCES vms (id),
  host_id uuid REFERENCES hosts (id),
  role text NOT NULL CHECK (role IN ('root')),
  size_bytes bigint NOT NULL CHECK (size_bytes > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX volumes_by_vm ON volumes (vm_id);

-- A claim of one VM on one host. hosts.reserved_* is the sum of these rows, kept by the same statement that writes them.
CREATE TABLE reservations (
  id uuid PRIMARY KEY,
  -- Checked at commit: room is claimed before the VM's row is written, so that locks are always taken in one order.
  vm_id uuid NOT NULL REFERENCES vms (id) DEFERRABLE INITIALLY DEFERRED,
  host_id uuid NOT NULL REFERENCES hosts (id),
  -- 'run': where the VM lives. A migration will hold a second one on its target.
  purpose text NOT NULL CHECK (purpose IN ('run')),
  vcpu_count int NOT NULL,
  memory_bytes bigint NOT NULL,
  disk_bytes bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (vm_id, purpose)
);
CREATE INDEX reservations_by_host ON reservations (host_id);

-- Why a VM was placed where it is.
CREATE TABLE placements (
  id uuid PRIMARY KEY,
  vm_id uuid NOT NULL REFERENCES vms (id),
  host_id uuid NOT NULL REFERENCES hosts (id),
  record jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX placements_by_vm ON placements (vm_id, id);

CREATE TABLE idempotency_keys (
  -- Keys of different tokens never meet.
  token_id uuid NOT NULL REFERENCES api_tokens (id),
  key text NOT NULL,
  request_sha256 bytea NOT NULL,
  status int NOT NULL,
  resource_id uuid NOT NULL,
  -- Checked at commit: the key is claimed first, so that a duplicate waits here and not half way through the mutation.
  operation_id uuid REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
  -- Body of an answer that is not an operation.
  response jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (token_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- The event log. `seq` alone does not order commits: a transaction may take a number and commit after a later one. Readers
-- therefore order by (xact_id, seq) and read only rows whose transaction is older than every running one
-- (pg_snapshot_xmin), so nothing can appear behind a cursor that was handed out.
CREATE TABLE events (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xact_id bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  type text NOT NULL,
  project_id uuid,
  resource_kind text NOT NULL,
  resource_id uuid NOT NULL,
  data jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_in_order ON events (xact_id, seq);
