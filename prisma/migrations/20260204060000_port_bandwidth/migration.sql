-- How fast a port may receive and send; null: not limited. Bounds are those of the API.
ALTER TABLE ports
  ADD COLUMN ingress_bits_per_second bigint CHECK (ingress_bits_per_second BETWEEN 1000000 AND 100000000000),
  ADD COLUMN egress_bits_per_second bigint CHECK (egress_bits_per_second BETWEEN 1000000 AND 100000000000);
