-- VMs that were frozen, of which others are forked on the same host.

CREATE TABLE vm_templates (
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES projects (id),
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('creating', 'available', 'lost', 'deleting')),
  host_id uuid NOT NULL REFERENCES hosts (id),
  -- The VM it was frozen of, which may be deleted since.
  golden_vm_id uuid NOT NULL REFERENCES vms (id),
  golden_vm_name text NOT NULL,
  -- On whose disk its own rests: the golden VM is a fork of that.
  base_template_id uuid REFERENCES vm_templates (id),
  flavor_id uuid NOT NULL REFERENCES flavors (id),
  image_id uuid NOT NULL REFERENCES images (id),
  vcpu_count int NOT NULL CHECK (vcpu_count > 0),
  memory_bytes bigint NOT NULL CHECK (memory_bytes > 0),
  root_disk_bytes bigint NOT NULL CHECK (root_disk_bytes > 0),
  accelerator text NOT NULL,
  machine_type text NOT NULL,
  -- As its forks have it, without network cards and disk limits.
  hardware jsonb NOT NULL,
  has_seed_disk boolean NOT NULL,
  -- Of its host's disk; null with frozen_at: not made yet.
  occupied_bytes bigint,
  frozen_at timestamptz,
  operation_id uuid NOT NULL REFERENCES operations (id) DEFERRABLE INITIALLY DEFERRED,
  failure jsonb,
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CHECK ((frozen_at IS NULL) = (occupied_bytes IS NULL)),
  CHECK (state = 'creating' OR frozen_at IS NOT NULL OR deleted_at IS NOT NULL)
);
CREATE UNIQUE INDEX vm_templates_by_name ON vm_templates (project_id, name) WHERE deleted_at IS NULL;
CREATE INDEX vm_templates_by_project ON vm_templates (project_id, id) WHERE deleted_at IS NULL;
CREATE INDEX vm_templates_by_host ON vm_templates (host_id) WHERE deleted_at IS NULL;
CREATE INDEX vm_templates_by_base ON vm_templates (base_template_id) WHERE base_template_id IS NOT NULL AND deleted_at IS NULL;
-- Flavors and images are kept for them.
CREATE INDEX vm_templates_by_flavor ON vm_templates (flavor_id) WHERE deleted_at IS NULL;
CREATE INDEX vm_templates_by_image ON vm_templates (image_id) WHERE deleted_at IS NULL;

-- The template that a VM is a fork of: its disk rests on the template's for as long as the VM lives.
ALTER TABLE vms ADD COLUMN template_id uuid REFERENCES vm_templates (id);
CREATE INDEX vms_by_template ON vms (template_id) WHERE template_id IS NOT NULL AND deleted_at IS NULL;
