-- How the hosts of a group are filled, and how many of them may be lost at once with room left for their highly available VMs.
ALTER TABLE host_groups
  ADD COLUMN policy text NOT NULL DEFAULT 'pack' CHECK (policy IN ('pack', 'spread', 'balanced')),
  ADD COLUMN reserve_host_failures int NOT NULL DEFAULT 0 CHECK (reserve_host_failures BETWEEN 0 AND 4);

ALTER TABLE vms ADD COLUMN is_highly_available boolean NOT NULL DEFAULT false;

-- Highly available VMs are in the feed of the fleet as well as those in groups.
CREATE OR REPLACE FUNCTION note_vm_placement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.vm_group_id IS NOT NULL OR NEW.is_highly_available OR NEW.placement_xact_id IS NOT NULL THEN
    NEW.placement_xact_id := pg_current_xact_id()::text::bigint;
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER vms_note_placement ON vms;
CREATE TRIGGER vms_note_placement
  BEFORE UPDATE OF vcpu_count, memory_bytes, hardware, vm_group_id, is_highly_available ON vms FOR EACH ROW
  WHEN ((OLD.vcpu_count, OLD.memory_bytes, OLD.hardware, OLD.vm_group_id, OLD.is_highly_available)
        IS DISTINCT FROM (NEW.vcpu_count, NEW.memory_bytes, NEW.hardware, NEW.vm_group_id, NEW.is_highly_available))
  EXECUTE FUNCTION note_vm_placement();
