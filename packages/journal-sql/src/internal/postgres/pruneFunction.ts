/**
 * Prunes a few thousand entries after a position, in a transaction of their own. `seen` is the position up to which it
 * looked; nothing is given where nothing that old is left.
 */
const needless = `e.stream = s.id AND e.namespace = in_namespace AND e.position > after AND e.position <= last
      AND s.parked = 0
      AND NOT EXISTS (
        SELECT 1 FROM leat_outbox o
          WHERE o.namespace = in_namespace AND o.worker = s.worker AND o.position = e.position
      )
      AND NOT EXISTS (
        SELECT 1 FROM leat_views v
          WHERE v.namespace = in_namespace AND v.position < e.position AND (v.worker IS NULL OR v.worker = s.worker)
      )`

export const pruneFunction = `
CREATE FUNCTION leat_prune_1(
  in_namespace int, after bigint, step int, compact_before double precision, forget_before double precision
) RETURNS TABLE (seen double precision, compacted int, forgotten int)
LANGUAGE plpgsql
AS $$
DECLARE
  last bigint;
  oldest bigint;
BEGIN
  SELECT max(w.position), min(w.at) INTO last, oldest
    FROM (
      SELECT e.position, e.at FROM leat_entries e
        WHERE e.namespace = in_namespace AND e.position > after ORDER BY e.position LIMIT step
    ) w;
  -- Entries come in order of time: where a whole step is young, all that follow are.
  IF last IS NULL OR oldest >= greatest(compact_before, forget_before) THEN
    RETURN;
  END IF;
  seen := last;

  DELETE FROM leat_entries e USING leat_streams s
    WHERE e.at < forget_before AND ${needless};
  GET DIAGNOSTICS forgotten = ROW_COUNT;

  UPDATE leat_entries e SET
      compacted = true, bytes = NULL, steps = NULL,
      detail = CASE e.outcome WHEN 'Handled' THEN NULL ELSE e.detail END
    FROM leat_streams s
    WHERE e.at < compact_before AND NOT e.compacted AND ${needless};
  GET DIAGNOSTICS compacted = ROW_COUNT;
  RETURN NEXT;
END
$$`
