-- What hosts are to have of networks, and which hosts have to be told anew.

-- Where overlays of other hosts reach it, as its agent says; null: none do.
ALTER TABLE hosts ADD COLUMN overlay_address inet CHECK (family(overlay_address) = 4 AND masklen(overlay_address) = 32);

-- One row per host that ever had a network.
CREATE TABLE host_networks (
  host_id uuid PRIMARY KEY REFERENCES hosts (id),
  -- Something has changed since its networks were computed last.
  is_stale boolean NOT NULL DEFAULT true,
  -- Counts what was computed; what is desired of a revision never changes.
  revision bigint NOT NULL DEFAULT 0,
  desired_sha256 text NOT NULL DEFAULT '',
  network_count int NOT NULL DEFAULT 0,
  -- What its agent last said to have made, and when.
  applied_revision bigint NOT NULL DEFAULT 0,
  applied_at timestamptz,
  faults jsonb NOT NULL DEFAULT '[]',
  -- Not to be told before, as telling it failed.
  retry_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX host_networks_stale ON host_networks (host_id) WHERE is_stale OR applied_revision < revision;

-- What changed, in the transaction that changed it; taken away by who finds out which hosts that concerns. So that whoever makes a
-- port writes one row more, however many hosts have its network. No foreign keys: what is gone has changed as well.
CREATE TABLE network_changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  network_id uuid,
  security_group_id uuid,
  -- A host that may have had the last port of the network, and is found by no port any more.
  host_id uuid
);

CREATE FUNCTION note_port_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO network_changes (network_id, host_id)
  SELECT DISTINCT t.network_id, r.host_id FROM touched t LEFT JOIN reservations r ON r.vm_id = t.vm_id;
  RETURN NULL;
END $$;
CREATE TRIGGER ports_note_insert AFTER INSERT ON ports REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION note_port_changes();
CREATE TRIGGER ports_note_delete AFTER DELETE ON ports REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION note_port_changes();
CREATE TRIGGER ports_note_update_before AFTER UPDATE ON ports REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION note_port_changes();
CREATE TRIGGER ports_note_update_after AFTER UPDATE ON ports REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION note_port_changes();

-- A VM is on a host for as long as it has a reservation there.
CREATE FUNCTION note_reservation_networks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO network_changes (network_id, host_id)
  SELECT DISTINCT p.network_id, t.host_id FROM touched t JOIN ports p ON p.vm_id = t.vm_id;
  RETURN NULL;
END $$;
CREATE TRIGGER reservations_note_insert AFTER INSERT ON reservations REFERENCING NEW TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION note_reservation_networks();
CREATE TRIGGER reservations_note_delete AFTER DELETE ON reservations REFERENCING OLD TABLE AS touched
  FOR EACH STATEMENT EXECUTE FUNCTION note_reservation_networks();

-- Its rules are written anew with it.
CREATE FUNCTION note_security_group_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO network_changes (security_group_id) VALUES (NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER security_groups_note_update AFTER UPDATE ON security_groups
  FOR EACH ROW EXECUTE FUNCTION note_security_group_change();

-- Of all that can change of a network, hosts have this alone.
CREATE FUNCTION note_network_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO network_changes (network_id) VALUES (NEW.id);
  RETURN NULL;
END $$;
CREATE TRIGGER networks_note_update AFTER UPDATE ON networks
  FOR EACH ROW WHEN (OLD.dns_domain IS DISTINCT FROM NEW.dns_domain) EXECUTE FUNCTION note_network_change();

-- Its peers reach it elsewhere, or no more.
CREATE FUNCTION note_host_overlay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO network_changes (network_id, host_id)
  SELECT DISTINCT p.network_id, NEW.id FROM reservations r JOIN ports p ON p.vm_id = r.vm_id WHERE r.host_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER hosts_note_overlay AFTER UPDATE ON hosts
  FOR EACH ROW WHEN (OLD.overlay_address IS DISTINCT FROM NEW.overlay_address
                     OR (OLD.state = 'revoked') IS DISTINCT FROM (NEW.state = 'revoked'))
  EXECUTE FUNCTION note_host_overlay();
