-- Record and evidence of a decision, as deflated JSON: some 3 KB instead of 40, written by who decides. PostgreSQL spent half of a
-- create on reading them as jsonb and compressing them. Decisions from before keep the columns that they have.
ALTER TABLE placements
  ADD COLUMN packed bytea,
  ALTER COLUMN record DROP NOT NULL,
  ADD CONSTRAINT placements_record_kept_once CHECK (num_nonnulls(record, packed) = 1);
-- Compressed already.
ALTER TABLE placements ALTER COLUMN packed SET STORAGE EXTERNAL;
