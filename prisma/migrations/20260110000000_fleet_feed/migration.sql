-- The change feed of the fleet: which transaction last changed what matters to placement. Readers ask for rows whose
-- transaction is not older than the oldest one that was running at their last read (pg_snapshot_xmin); such a row may have
-- been seen already, and applying it again changes nothing, but none is missed whatever the order of commits.
ALTER TABLE hosts ADD COLUMN changed_xact_id bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint);
CREATE INDEX hosts_by_change ON hosts (changed_xact_id);

CREATE FUNCTION note_host_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- What each report changes and no placement looks at. Everything else counts, so that a new column is in the feed from
  -- the beginning.
  OLD.last_report_at := NEW.last_report_at;
  OLD.report_generation := NEW.report_generation;
  OLD.agent_version := NEW.agent_version;
  OLD.address := NEW.address;
  OLD.facts := NEW.facts;
  IF OLD IS DISTINCT FROM NEW THEN
    NEW.changed_xact_id := pg_current_xact_id()::text::bigint;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER hosts_note_change BEFORE UPDATE ON hosts FOR EACH ROW EXECUTE FUNCTION note_host_change();
