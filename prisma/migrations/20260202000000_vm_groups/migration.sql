-- VMs of a project that are to be near each other or apart.
CREATE TABLE vm_groups (
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL REFERENCES projects (id),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  -- In the words of the scheduler; read and written as a whole.
  rules jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'array'),
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  -- The feed of the fleet has groups too: see hosts.changed_xact_id.
  changed_xact_id bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  UNIQUE (project_id, name)
);
CREATE INDEX vm_groups_by_project ON vm_groups (project_id, id);
CREATE INDEX vm_groups_by_change ON vm_groups (changed_xact_id);

CREATE FUNCTION note_group_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_xact_id := pg_current_xact_id()::text::bigint;
  RETURN NEW;
END $$;
CREATE TRIGGER vm_groups_note_change BEFORE UPDATE ON vm_groups FOR EACH ROW EXECUTE FUNCTION note_group_change();

ALTER TABLE vms
  ADD COLUMN vm_group_id uuid REFERENCES vm_groups (id),
  -- Which transaction last changed what other VMs' placement looks at. Null: no placement has ever looked at this one, and
  -- the feed passes over it. Once set it stays, so that leaving a group is told as well.
  ADD COLUMN placement_xact_id bigint;
CREATE INDEX vms_by_group ON vms (vm_group_id) WHERE vm_group_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX vms_by_placement_change ON vms (placement_xact_id) WHERE placement_xact_id IS NOT NULL;

CREATE FUNCTION note_vm_placement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.vm_group_id IS NOT NULL OR NEW.placement_xact_id IS NOT NULL THEN
    NEW.placement_xact_id := pg_current_xact_id()::text::bigint;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER vms_note_new BEFORE INSERT ON vms FOR EACH ROW EXECUTE FUNCTION note_vm_placement();
CREATE TRIGGER vms_note_placement BEFORE UPDATE OF vcpu_count, memory_bytes, hardware, vm_group_id ON vms FOR EACH ROW
  WHEN ((OLD.vcpu_count, OLD.memory_bytes, OLD.hardware, OLD.vm_group_id)
        IS DISTINCT FROM (NEW.vcpu_count, NEW.memory_bytes, NEW.hardware, NEW.vm_group_id))
  EXECUTE FUNCTION note_vm_placement();

-- A VM is on a host while it holds room there. A VM made in the same transaction is in the feed already, and its row is not
-- written twice.
CREATE FUNCTION note_reservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE vms SET placement_xact_id = pg_current_xact_id()::text::bigint
    FROM changed c
   WHERE vms.id = c.vm_id AND vms.placement_xact_id < pg_current_xact_id()::text::bigint;
  RETURN NULL;
END $$;
CREATE TRIGGER reservations_note_new AFTER INSERT ON reservations REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_reservation();
CREATE TRIGGER reservations_note_change AFTER UPDATE ON reservations REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_reservation();
CREATE TRIGGER reservations_note_end AFTER DELETE ON reservations REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_reservation();
