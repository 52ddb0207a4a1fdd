/**
 * The one read before a batch, in one row: what is known of each lane, by lane (`NULL` where none was written), of the
 * deliveries that are recorded, and of the worker. Lateral subqueries with a limit keep the planner at one look into an
 * index each, however little it knows of tables that have just grown.
 */
export const openFunction = `
CREATE FUNCTION leat_open_1(
  in_namespace int, in_worker text, l_key text[],
  d_lane int[], d_digest double precision[], d_type text[], d_event_id text[],
  OUT versions double precision[], OUT parked int[], OUT unpublished int[],
  OUT known int[], OUT outcomes text[], OUT details text[],
  OUT all_parked int, OUT all_unpublished int
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
DECLARE
  streams bigint[];
BEGIN
  SELECT
      array_agg(s.id ORDER BY l.lane), array_agg(s.version::double precision ORDER BY l.lane),
      array_agg(s.parked ORDER BY l.lane), array_agg(s.unpublished ORDER BY l.lane)
    INTO streams, versions, parked, unpublished
    FROM unnest(l_key) WITH ORDINALITY AS l (key, lane)
    LEFT JOIN LATERAL (
      SELECT * FROM leat_streams t
        WHERE t.namespace = in_namespace AND t.worker = in_worker AND t.key = l.key LIMIT 1
    ) s ON true;

  SELECT array_agg(d.delivery::int), array_agg(k.outcome), array_agg(k.detail) INTO known, outcomes, details
    FROM unnest(d_lane, d_digest, d_type, d_event_id) WITH ORDINALITY AS d (lane, digest, type, event_id, delivery)
    CROSS JOIN LATERAL (
      SELECT e.outcome, e.detail FROM leat_entries e
        WHERE e.stream = streams[d.lane] AND e.digest = d.digest::bigint
          AND e.event_id = d.event_id AND e.type = d.type
        ORDER BY e.position DESC LIMIT 1
    ) k
    WHERE streams[d.lane] IS NOT NULL;

  SELECT coalesce(sum(s.parked), 0) INTO all_parked FROM leat_streams s
    WHERE s.namespace = in_namespace AND s.worker = in_worker AND s.parked > 0;

  SELECT count(*) INTO all_unpublished FROM leat_outbox o
    WHERE o.namespace = in_namespace AND o.worker = in_worker
      AND o.held_until <= floor(extract(epoch FROM clock_timestamp()) * 1000);
END
$$`
