/**
 * The outbox. Whole streams are taken, in the order in which they were given back; those that never were come first. Claims and settlements of a worker come one after the other (an advisory lock): row locks alone would let
 * two relays take entries of one stream. The server's clock says until when an entry is held.
 */
export const claimFunction = `
CREATE FUNCTION leat_claim_1(in_namespace int, in_worker text, how_many int, hold double precision)
RETURNS SETOF double precision
LANGUAGE plpgsql
AS $$
DECLARE
  instant bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(in_namespace, hashtext(in_worker));
  instant := floor(extract(epoch FROM clock_timestamp()) * 1000);
  RETURN QUERY
    UPDATE leat_outbox t SET held_until = instant + hold::bigint
      FROM (
        SELECT o.position FROM leat_outbox o
          JOIN (
            SELECT w.stream, max(w.held_until) AS tried, min(w.position) AS first FROM leat_outbox w
              WHERE w.namespace = in_namespace AND w.worker = in_worker
              GROUP BY w.stream HAVING max(w.held_until) <= instant
          ) s ON s.stream = o.stream
          ORDER BY s.tried, s.first, o.position LIMIT how_many
      ) taken
      WHERE t.namespace = in_namespace AND t.worker = in_worker AND t.position = taken.position
      RETURNING t.position::double precision;
END
$$`

/** Streams are locked by id, as commits lock them. */
export const settleFunction = `
CREATE FUNCTION leat_settle_1(
  in_namespace int, in_worker text, published double precision[], returned double precision[]
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
  streams bigint[];
BEGIN
  PERFORM pg_advisory_xact_lock(in_namespace, hashtext(in_worker));
  WITH gone AS (
    DELETE FROM leat_outbox o
      WHERE o.namespace = in_namespace AND o.worker = in_worker AND o.position = ANY (published::bigint[])
      RETURNING o.stream
  )
  SELECT array_agg(gone.stream) INTO streams FROM gone;
  PERFORM 1 FROM leat_streams s WHERE s.id = ANY (streams) ORDER BY s.id FOR NO KEY UPDATE;
  UPDATE leat_streams s SET unpublished = s.unpublished - g.count
    FROM (SELECT u.stream, count(*) AS count FROM unnest(streams) AS u (stream) GROUP BY u.stream) g
    WHERE s.id = ANY (streams) AND s.id = g.stream;
  UPDATE leat_outbox o SET held_until = floor(extract(epoch FROM clock_timestamp()) * 1000)
    WHERE o.namespace = in_namespace AND o.worker = in_worker AND o.position = ANY (returned::bigint[]);
END
$$`
