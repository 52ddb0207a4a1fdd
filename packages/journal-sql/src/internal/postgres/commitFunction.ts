/**
 * The one write after a batch, whole on the server: one round trip, one transaction.
 *
 * **Locks**, in this order for everybody, so that no two commits wait for each other: new streams by key, streams by id, the
 * ticket.
 *
 * **The ticket** is the namespace's row with the last position. It is taken when nothing but the rows themselves is left
 * to write, and its lock lasts until the commit: so positions are given in the order of the commits, without gaps, and
 * who sees one sees all before it. Commits of one namespace therefore wait for each other's disk.
 *
 * A lane is an index into the `l_` arrays, an entry into the `e_` arrays. `lanes` are the streams that stand where they are
 * expected, by lane; `NULL` for a conflict. That a delivery is recorded once is looked up while its stream is locked, so it
 * needs no unique index.
 *
 * **Plans** must not depend on what the planner knows of tables that have just grown: a row is found by a scalar subquery or
 * by `= ANY`, one look into an index each, and arrays are joined by hash.
 */
export const commitFunction = `
CREATE FUNCTION leat_commit_1(
  in_namespace int, in_worker text, hold double precision,
  l_key text[], l_long_key text[], l_expected double precision[], l_count int[],
  l_parked int[], l_unpublished int[], l_resolving int[], l_hold boolean[],
  e_lane int[], e_seq int[], e_digest double precision[], e_type text[], e_event_id text[],
  e_partition text[], e_source_position text[], e_partition_key text[], e_arrival double precision[],
  e_bytes bytea[], e_outcome text[], e_detail text[], e_attempts int[], e_duration double precision[],
  e_worker_version text[], e_event_version int[], e_fault text[], e_steps text[], e_resolves double precision[]
) RETURNS double precision[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off
AS $$
DECLARE
  ids bigint[];
  lanes bigint[];
  offsets bigint[];
  stands boolean[];
  again int[];
  total bigint;
  base bigint;
  instant bigint;
BEGIN
  IF 0 = ANY (l_expected) THEN
    INSERT INTO leat_streams (namespace, worker, key, long_key)
      SELECT in_namespace, in_worker, l.key, l.long_key
        FROM unnest(l_key, l_long_key, l_expected, l_count) AS l (key, long_key, expected, count)
        WHERE l.expected = 0 AND l.count > 0
        ORDER BY l.key COLLATE "C"
      ON CONFLICT DO NOTHING;
  END IF;

  ids := ARRAY(
    SELECT (
        SELECT s.id FROM leat_streams s WHERE s.namespace = in_namespace AND s.worker = in_worker AND s.key = l.key
      )
      FROM unnest(l_key) WITH ORDINALITY AS l (key, lane)
      ORDER BY l.lane
  );

  WITH locked AS MATERIALIZED (
    SELECT s.id, s.version FROM leat_streams s WHERE s.id = ANY (ids) ORDER BY s.id FOR NO KEY UPDATE
  )
  SELECT
      array_agg(CASE WHEN locked.version = l.expected THEN locked.id END ORDER BY l.lane),
      array_agg(coalesce(locked.version, 0) = l.expected ORDER BY l.lane)
    INTO lanes, stands
    FROM unnest(ids, l_expected) WITH ORDINALITY AS l (id, expected, lane)
    LEFT JOIN locked ON locked.id = l.id;

  SELECT array_agg(DISTINCT e.lane) INTO again
    FROM unnest(e_lane, e_digest, e_type, e_event_id, e_resolves) AS e (lane, digest, type, event_id, resolves)
    WHERE e.resolves IS NULL AND lanes[e.lane] IS NOT NULL AND l_expected[e.lane] > 0 AND (
      SELECT true FROM leat_entries x
        WHERE x.stream = lanes[e.lane] AND x.digest = e.digest::bigint
          AND x.event_id = e.event_id AND x.type = e.type
        LIMIT 1
    );
  FOR i IN 1 .. coalesce(cardinality(again), 0) LOOP
    lanes[again[i]] := NULL;
    stands[again[i]] := false;
  END LOOP;

  SELECT array_agg(s.total - s.count ORDER BY s.lane), coalesce(max(s.total), 0) INTO offsets, total
    FROM (
      SELECT l.lane, l.count, sum(l.count) OVER (ORDER BY l.lane) AS total
        FROM (
          SELECT c.lane, CASE WHEN stands[c.lane] THEN c.count ELSE 0 END AS count
            FROM unnest(l_count) WITH ORDINALITY AS c (count, lane)
        ) l
    ) s;

  IF total > 0 THEN
    UPDATE leat_streams s SET
        version = s.version + l.count,
        parked = s.parked + l.parked,
        unpublished = s.unpublished + l.unpublished
      FROM unnest(lanes, l_count, l_parked, l_unpublished) AS l (stream, count, parked, unpublished)
      WHERE s.id = ANY (lanes) AND s.id = l.stream AND l.count > 0;

    IF 0 < ANY (l_resolving) THEN
      WITH gone AS (
        DELETE FROM leat_parked p
          USING (
            SELECT DISTINCT lanes[e.lane] AS stream, e.resolves::bigint AS position
              FROM unnest(e_lane, e_resolves, e_outcome) AS e (lane, resolves, outcome)
              WHERE e.resolves IS NOT NULL AND e.outcome <> 'Parked' AND lanes[e.lane] IS NOT NULL
          ) r
          WHERE p.stream = ANY (lanes) AND p.stream = r.stream AND p.position = r.position
          RETURNING p.stream
      )
      UPDATE leat_streams s SET parked = s.parked - g.count
        FROM (SELECT gone.stream, count(*) AS count FROM gone GROUP BY gone.stream) g
        WHERE s.id = ANY (lanes) AND s.id = g.stream;
    END IF;
  END IF;

  UPDATE leat_namespaces n SET position = n.position + total WHERE n.id = in_namespace AND total > 0
    RETURNING n.position - total INTO base;
  IF base IS NULL THEN
    SELECT n.position INTO STRICT base FROM leat_namespaces n WHERE n.id = in_namespace;
  ELSE
    instant := floor(extract(epoch FROM clock_timestamp()) * 1000);

    INSERT INTO leat_entries (
        namespace, position, stream, version, digest, at, resolves, arrival, duration, attempts, type, event_id, outcome,
        worker_version, event_version, fault, partition, source_position, partition_key, detail, steps, bytes
      )
      SELECT
          in_namespace, base + offsets[e.lane] + e.seq, lanes[e.lane], l_expected[e.lane]::bigint + e.seq, e.digest::bigint, instant,
          e.resolves::bigint, e.arrival, e.duration, e.attempts, e.type, e.event_id, e.outcome, e.worker_version,
          e.event_version, e.fault, e.partition, e.source_position, e.partition_key, e.detail, e.steps, e.bytes
        FROM unnest(
            e_lane, e_seq, e_digest, e_type, e_event_id, e_partition, e_source_position, e_partition_key, e_arrival,
            e_bytes, e_outcome, e_detail, e_attempts, e_duration, e_worker_version, e_event_version, e_fault, e_steps,
            e_resolves
          ) AS e (
            lane, seq, digest, type, event_id, partition, source_position, partition_key, arrival,
            bytes, outcome, detail, attempts, duration, worker_version, event_version, fault, steps, resolves
          )
        WHERE lanes[e.lane] IS NOT NULL;

    IF 0 < ANY (l_parked) THEN
      INSERT INTO leat_parked (stream, position)
        SELECT lanes[e.lane], base + offsets[e.lane] + e.seq
          FROM unnest(e_lane, e_seq, e_outcome, e_resolves) AS e (lane, seq, outcome, resolves)
          WHERE lanes[e.lane] IS NOT NULL AND e.outcome = 'Parked' AND e.resolves IS NULL;
    END IF;

    IF 0 < ANY (l_unpublished) THEN
      INSERT INTO leat_outbox (namespace, position, worker, stream, held_until)
        SELECT in_namespace, base + offsets[e.lane] + e.seq, in_worker, lanes[e.lane],
            CASE WHEN l_hold[e.lane] THEN instant + hold::bigint ELSE 0 END
          FROM unnest(e_lane, e_seq, e_outcome, e_detail) AS e (lane, seq, outcome, detail)
          WHERE lanes[e.lane] IS NOT NULL AND l_unpublished[e.lane] > 0
            AND e.outcome = 'Handled' AND e.detail IS NOT NULL;
    END IF;

    PERFORM pg_notify('leat_journal', in_namespace::text);
  END IF;

  RETURN (
    SELECT array_agg(CASE WHEN stands[l.lane] THEN base + offsets[l.lane] + 1 END ORDER BY l.lane)
      FROM unnest(l_count) WITH ORDINALITY AS l (count, lane)
  );
END
$$`
