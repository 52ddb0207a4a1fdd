/**
 * The one read before a batch: a row with the totals (`lane` 0), one for each stream that exists, one for each delivery
 * that is recorded. Subqueries with a limit keep the planner at one look into an index each, however little it knows of
 * tables that have just grown.
 */
export const openFunction = `
CREATE FUNCTION leat_open_1(
  in_namespace int, in_worker text, l_key text[], d_lane int[], d_digest double precision[], d_type text[], d_event_id text[]
) RETURNS TABLE (
  lane int, delivery int, version double precision, parked int, unpublished int, outcome text, detail text
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  streams bigint[];
BEGIN
  RETURN QUERY
    SELECT 0, NULL::int, NULL::double precision,
      (SELECT coalesce(sum(s.parked), 0)::int FROM leat_streams s
        WHERE s.namespace = in_namespace AND s.worker = in_worker AND s.parked > 0),
      (SELECT count(*)::int FROM leat_outbox o
        WHERE o.namespace = in_namespace AND o.worker = in_worker
          AND o.held_until <= floor(extract(epoch FROM clock_timestamp()) * 1000)),
      NULL::text, NULL::text;

  RETURN QUERY
    SELECT l.lane::int, NULL::int, s.version::double precision, s.parked, s.unpublished, NULL::text, NULL::text
      FROM unnest(l_key) WITH ORDINALITY AS l (key, lane)
      JOIN leat_streams s ON s.namespace = in_namespace AND s.worker = in_worker AND s.key = l.key;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  SELECT array_agg(s.id ORDER BY l.lane) INTO streams
    FROM unnest(l_key) WITH ORDINALITY AS l (key, lane)
    LEFT JOIN leat_streams s ON s.namespace = in_namespace AND s.worker = in_worker AND s.key = l.key;

  RETURN QUERY
    SELECT d.lane, d.delivery::int, NULL::double precision, NULL::int, NULL::int, k.outcome, k.detail
      FROM unnest(d_lane, d_digest, d_type, d_event_id) WITH ORDINALITY AS d (lane, digest, type, event_id, delivery)
      CROSS JOIN LATERAL (
        SELECT e.outcome, e.detail FROM leat_entries e
          WHERE e.stream = streams[d.lane] AND e.digest = d.digest::bigint
            AND e.event_id = d.event_id AND e.type = d.type
          ORDER BY e.position DESC LIMIT 1
      ) k
      WHERE streams[d.lane] IS NOT NULL;
END
$$`
