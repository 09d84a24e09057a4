-- Addresses of the world outside that projects have, and the ports that are reached by them.

-- What admins give for it: from the first to the last.
CREATE TABLE floating_ranges (
  id uuid PRIMARY KEY,
  name text NOT NULL UNIQUE,
  first_address inet NOT NULL CHECK (family(first_address) = 4 AND masklen(first_address) = 32),
  last_address inet NOT NULL CHECK (family(last_address) = 4 AND masklen(last_address) = 32),
  -- How far from the first the address was that we chose last; the search for the next begins behind it.
  last_offset int NOT NULL DEFAULT -1,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (first_address <= last_address),
  -- An address is of one range.
  CONSTRAINT floating_ranges_apart EXCLUDE USING gist
    (int8range(first_address - inet '0.0.0.0', last_address - inet '0.0.0.0', '[]') WITH &&)
);

CREATE TABLE floating_addresses (
  id uuid PRIMARY KEY,
  range_id uuid NOT NULL REFERENCES floating_ranges (id),
  project_id uuid NOT NULL REFERENCES projects (id),
  -- Whatever chose it: nobody else has it, and a port has one at the most.
  address inet NOT NULL UNIQUE CHECK (family(address) = 4 AND masklen(address) = 32),
  port_id uuid UNIQUE REFERENCES ports (id) ON DELETE SET NULL,
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX floating_addresses_by_project ON floating_addresses (project_id, id);
CREATE INDEX floating_addresses_by_range ON floating_addresses (range_id);

-- A port that is deleted leaves its address to the project: that is a change as any other.
CREATE FUNCTION count_floating_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.generation := OLD.generation + 1;
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
CREATE TRIGGER floating_addresses_count_release BEFORE UPDATE ON floating_addresses
  FOR EACH ROW WHEN (OLD.port_id IS NOT NULL AND NEW.port_id IS NULL AND OLD.generation = NEW.generation)
  EXECUTE FUNCTION count_floating_release();

-- The hosts of the VMs that had it and that have it now are told.
CREATE FUNCTION note_floating_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO network_changes (host_id)
  SELECT DISTINCT r.host_id FROM ports p JOIN reservations r ON r.vm_id = p.vm_id
   WHERE p.id IN (OLD.port_id, NEW.port_id);
  RETURN NULL;
END $$;
CREATE TRIGGER floating_addresses_note_update AFTER UPDATE ON floating_addresses
  FOR EACH ROW WHEN (OLD.port_id IS DISTINCT FROM NEW.port_id) EXECUTE FUNCTION note_floating_change();
CREATE TRIGGER floating_addresses_note_delete AFTER DELETE ON floating_addresses
  FOR EACH ROW WHEN (OLD.port_id IS NOT NULL) EXECUTE FUNCTION note_floating_change();

-- The host that a VM was moved to has its floating addresses from then on.
CREATE FUNCTION note_reservation_purpose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO network_changes (host_id) VALUES (NEW.host_id);
  RETURN NULL;
END $$;
CREATE TRIGGER reservations_note_purpose AFTER UPDATE ON reservations
  FOR EACH ROW WHEN (OLD.purpose IS DISTINCT FROM NEW.purpose) EXECUTE FUNCTION note_reservation_purpose();
