"""What an append does in the server, so that it is one round trip.

Every change of a run begins by locking its row of ``run_state`` and ends with the transaction. So
positions and ids, which are counted there, become visible in the order in which they are given: a
reader that goes on after the highest position it has seen misses nothing.
"""

#: Locks a run and tells its row, and of one writer number and position; no row if there is no run.
#: The lock is a statement of its own: what follows then sees what whoever held it has committed.
OPEN_RUN_1 = """
CREATE FUNCTION quark.open_run(p_namespace bigint, p_run_id text, p_writer text)
RETURNS TABLE (number bigint, version bigint, "timestamp" text, body text,
               writer_id bigint, writer_position bigint, writer_count bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_run bigint;
BEGIN
    SELECT r.number INTO v_run FROM quark.run r
        WHERE r.namespace_id = p_namespace AND r.run_id = p_run_id;
    PERFORM 1 FROM quark.run_state s WHERE s.run = v_run FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT r.number, r.version, r.timestamp, r.body, w.id, w.position,
               (SELECT count(*) FROM quark.writer c WHERE c.run = v_run)
        FROM quark.run r LEFT JOIN quark.writer w ON w.run = r.number AND w.name = p_writer
        WHERE r.number = v_run;
END $$
"""

#: Applies what a process has prepared; NULLs if the run is gone. Who believed the writer to be
#: elsewhere is told by SQLSTATE QK001, and nothing has happened.
APPEND_1 = """
CREATE FUNCTION quark.append(
    p_run bigint, p_writer bigint, p_known bigint, p_last bigint, p_points bigint, p_body bytea,
    p_kinds text[], p_seqs bigint[], p_ordinals bigint[], p_steps bigint[], p_epochs bigint[],
    p_times bigint[], p_bodies text[],
    OUT o_segments bigint, OUT o_points bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_records bigint := cardinality(p_kinds);
    v_position bigint;
    v_segment bigint;
BEGIN
    UPDATE quark.run_state SET
        last_position = last_position + v_records,
        last_segment = last_segment + (p_points > 0)::integer,
        pending_segments = pending_segments + (p_points > 0)::integer,
        pending_points = pending_points + p_points
    WHERE run = p_run
    RETURNING last_position, last_segment, pending_segments, pending_points
    INTO v_position, v_segment, o_segments, o_points;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE quark.writer SET position = greatest(position, p_last)
        WHERE run = p_run AND id = p_writer AND position = p_known;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the writer is not at %', p_known USING ERRCODE = 'QK001';
    END IF;
    IF p_points > 0 THEN
        INSERT INTO quark.segment (run, id, point_count, body)
            VALUES (p_run, v_segment, p_points, p_body);
    END IF;
    IF v_records > 0 THEN
        INSERT INTO quark.record
            (run, position, kind, writer_id, seq, ordinal, step, epoch, time_us, body)
        SELECT p_run, v_position - v_records + n, kind, p_writer, seq, ordinal, step, epoch,
               time_us, body
        FROM unnest(p_kinds, p_seqs, p_ordinals, p_steps, p_epochs, p_times, p_bodies)
             WITH ORDINALITY AS t (kind, seq, ordinal, step, epoch, time_us, body, n);
    END IF;
END $$
"""
