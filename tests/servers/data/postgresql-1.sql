-- Schema version 1, filled by test_postgresql_schema.fill; made with pg_dump --inserts.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA quark;
CREATE FUNCTION quark.append(p_run bigint, p_writer bigint, p_known bigint, p_last bigint, p_points bigint, p_body bytea, p_kinds text[], p_seqs bigint[], p_ordinals bigint[], p_steps bigint[], p_epochs bigint[], p_times bigint[], p_bodies text[], OUT o_segments bigint, OUT o_points bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
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
END $$;
CREATE FUNCTION quark.open_run(p_namespace bigint, p_run_id text, p_writer text) RETURNS TABLE(number bigint, version bigint, "timestamp" text, body text, writer_id bigint, writer_position bigint, writer_count bigint)
    LANGUAGE plpgsql
    AS $$
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
END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE quark.axis (
    run bigint NOT NULL,
    id bigint NOT NULL,
    use_count bigint NOT NULL,
    step_min bigint,
    step_max bigint,
    epoch_min bigint,
    epoch_max bigint,
    time_min_us bigint NOT NULL,
    time_max_us bigint NOT NULL,
    last_step bigint,
    last_epoch bigint,
    last_time_us bigint NOT NULL,
    is_ordered boolean NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY quark.axis ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE quark.chunk (
    run bigint NOT NULL,
    id bigint NOT NULL,
    key_id bigint NOT NULL,
    axis_id bigint NOT NULL,
    point_count bigint NOT NULL,
    nonfinite_count bigint NOT NULL,
    minimum double precision,
    maximum double precision,
    total double precision,
    last double precision,
    is_tail boolean NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY quark.chunk ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE quark.damaged (
    run bigint NOT NULL,
    id bigint NOT NULL,
    source text NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY quark.damaged ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE quark.damaged ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME quark.damaged_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE quark.document (
    namespace_id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    revision bigint NOT NULL,
    body text NOT NULL
);
CREATE TABLE quark.meta (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE quark.metric_key (
    run bigint NOT NULL,
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE quark.namespace (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    document_revision bigint DEFAULT 0 NOT NULL
);
ALTER TABLE quark.namespace ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME quark.namespace_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE quark.record (
    run bigint NOT NULL,
    "position" bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    writer_id bigint NOT NULL,
    seq bigint NOT NULL,
    ordinal bigint NOT NULL,
    step bigint,
    epoch bigint,
    time_us bigint NOT NULL,
    body text NOT NULL
);
CREATE TABLE quark.run (
    number bigint NOT NULL,
    namespace_id bigint NOT NULL,
    run_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    workspace text NOT NULL COLLATE pg_catalog."C",
    project_id text NOT NULL COLLATE pg_catalog."C",
    project_name text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    run_group text COLLATE pg_catalog."C",
    tags text[] NOT NULL COLLATE pg_catalog."C",
    creation_time_us bigint NOT NULL,
    created_at text NOT NULL COLLATE pg_catalog."C",
    updated_at text NOT NULL COLLATE pg_catalog."C",
    "timestamp" text NOT NULL,
    body text NOT NULL
);
ALTER TABLE quark.run ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME quark.run_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE quark.run_state (
    run bigint NOT NULL,
    last_position bigint DEFAULT 0 NOT NULL,
    last_segment bigint DEFAULT 0 NOT NULL,
    last_axis bigint DEFAULT 0 NOT NULL,
    last_chunk bigint DEFAULT 0 NOT NULL,
    pending_segments bigint DEFAULT 0 NOT NULL,
    pending_points bigint DEFAULT 0 NOT NULL,
    merge_generation bigint DEFAULT 0 NOT NULL,
    merge_claimed_until_us bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='40', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE quark.segment (
    run bigint NOT NULL,
    id bigint NOT NULL,
    point_count bigint NOT NULL,
    body bytea NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='20000', toast.autovacuum_vacuum_scale_factor='0', toast.autovacuum_vacuum_threshold='50000');
ALTER TABLE ONLY quark.segment ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE quark.writer (
    run bigint NOT NULL,
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL
)
WITH (fillfactor='60', autovacuum_vacuum_scale_factor='0.05');
INSERT INTO quark.axis VALUES (1, 2, 2, 1, 200, 0, 4, 1, 200, 200, 4, 200, true, '\x514158315002913bc800000001080000000100000000000000021000000001000000000000000100000000000000021000000001000000000000000100000000000000031f0000000000000000000000000000000000000001016360200d3092a61ca89a2e3a00021000000001000000000000000100000000000000');
INSERT INTO quark.chunk VALUES (1, 3, 0, 2, 200, 0, 0.25, 50, 5025, 50, true, '\x51434831dd492978c800000012de0000000b80004080a0c0e0001020304050607080889098a0a8b0b8c0c8d0d8e0e8f0f80004080c1014181c2024282c3034383c4044484c5054585c6064686c7074787c80828486888a8c8e90929496989a9c9ea0a2a4a6a8aaacaeb0b2b4b6b8babcbec0c2c4c6c8caccced0d2d4d6d8dadcdee0e2e4e6e8eaeceef0f2f4f6f8fafcfe000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40414243444546474863601805832904ececc1c0010770a43170a2160000');
INSERT INTO quark.chunk VALUES (1, 4, 1, 2, 200, 0, 0.1, 20, 2010, 20, true, '\x5143483184a4ce3cc8000000133c050000c09a9a349a0034679acd009a34cd67009a34cd6700cd9a673400cd9a673400cd9a673400cd9a67340067cd339a0067cd349a0067cd349a0067cd349a0067cd349a0067cd349a0067cd349a0067cd349a0033679acd0033679acd0033679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd0034679acd009a33cd67009a33cd67009a33cd67009a33cd67009a33cd67009a33cd67009a34cd67009a34cd67009999339900336699cc009933cc66009933cc6600cc99663300cc99663300cc99663300cc9966330066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc339900336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009999339900336699cc009933cc66009933cc6600cc99663300cc99663300cc99663300cc9966330066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc339900336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009999339900336699cc009933cc66009933cc6600cc99663300cc99663300cc99663300cc9966330066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc339900336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009999339900336699cc009933cc66009933cc6600cc99663300cc99663300cc99663300cc9966330066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc339900336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009933cc66009999339900336699cc009933cc66009933cc6600cc99663300cc99663300cc99663300cc9966330066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc33990066cc339900336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc00336699cc0019334c668099b3cce60019334c668099b3cce60019334c668099b3cce60019334c668099b3cce600d5c1c90ec1400006e0a2288ae974da4eb7a97ddfb9f3da1ec1d9c94d2291481c2a440811f92f73f104be6fbdd9eef687e3e91c5faeb7fbe3f97a7f1425914ca96a3a93d5b45cbea0ebc552991062189452d3648c59966ddb8ec339775dcff37c3f0882301442445105aa50833a34a0092d684307bad0833e0c60082318c3449a4a33692e2d96bf56ffe80b');
INSERT INTO quark.meta VALUES ('format', 'quark');
INSERT INTO quark.meta VALUES ('version', '1');
INSERT INTO quark.metric_key VALUES (1, 0, 'loss');
INSERT INTO quark.metric_key VALUES (1, 1, 'lr');
INSERT INTO quark.metric_key VALUES (1, 2, 'odd');
INSERT INTO quark.namespace OVERRIDING SYSTEM VALUE VALUES (1, 'team', 0);
INSERT INTO quark.record VALUES (1, 1, 'run', 0, 1, 0, NULL, NULL, 1000000000000000, '{"project_id":"proj_1","project_name":"vision","name":"old","tags":["a\u0000b"]}');
INSERT INTO quark.record VALUES (1, 2, 'event', 1, 1, 0, 1, NULL, 1000000000000001, '{"event_type":"test"}');
INSERT INTO quark.record VALUES (1, 3, 'event', 1, 101, 0, 101, NULL, 1000000000000101, '{"event_type":"test"}');
INSERT INTO quark.run OVERRIDING SYSTEM VALUE VALUES (1, 1, 'run-1', 1, 'local', 'proj_1', 'vision', 'running', NULL, '{"a\\0b"}', 1000000000000000, '2001-09-09T01:46:40.000000Z', '2001-09-09T01:46:40.000000Z', '2001-09-09T01:46:40.000000Z', '{"project_id":"proj_1","project_name":"vision","workspace":"local","status":"running","resume_count":0,"run_path":"","strict_mode":false,"tags":["a\u0000b"],"name":"old","created_at":"2001-09-09T01:46:40.000000Z","updated_at":"2001-09-09T01:46:40.000000Z","config":{},"summary":{}}');
INSERT INTO quark.run_state VALUES (1, 3, 3, 2, 4, 1, 4, 2, 0);
INSERT INTO quark.segment VALUES (1, 3, 4, '\x515347319a18ab190100000001000000040000000100000008010800000002000000000000000210000000c90000000000000001000000000000000210000000c8000000000000000100000000000000010800000000000000000000800210000000c980c6a47e8d03000100000000000000000000000000e03f000000000000f07f00000000000000809c7500883ce4377e');
INSERT INTO quark.writer VALUES (1, 0, 'creator', 1);
INSERT INTO quark.writer VALUES (1, 1, 'w1', 204);
SELECT pg_catalog.setval('quark.damaged_id_seq', 1, false);
SELECT pg_catalog.setval('quark.namespace_id_seq', 1, true);
SELECT pg_catalog.setval('quark.run_number_seq', 1, true);
ALTER TABLE ONLY quark.axis
    ADD CONSTRAINT axis_pkey PRIMARY KEY (run, id);
ALTER TABLE ONLY quark.chunk
    ADD CONSTRAINT chunk_pkey PRIMARY KEY (run, id);
ALTER TABLE ONLY quark.damaged
    ADD CONSTRAINT damaged_pkey PRIMARY KEY (run, id);
ALTER TABLE ONLY quark.document
    ADD CONSTRAINT document_pkey PRIMARY KEY (namespace_id, kind, name);
ALTER TABLE ONLY quark.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY quark.metric_key
    ADD CONSTRAINT metric_key_pkey PRIMARY KEY (run, id);
ALTER TABLE ONLY quark.metric_key
    ADD CONSTRAINT metric_key_run_name_key UNIQUE (run, name);
ALTER TABLE ONLY quark.namespace
    ADD CONSTRAINT namespace_name_key UNIQUE (name);
ALTER TABLE ONLY quark.namespace
    ADD CONSTRAINT namespace_pkey PRIMARY KEY (id);
ALTER TABLE ONLY quark.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (run, "position");
ALTER TABLE ONLY quark.run
    ADD CONSTRAINT run_namespace_id_run_id_key UNIQUE (namespace_id, run_id);
ALTER TABLE ONLY quark.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (number);
ALTER TABLE ONLY quark.run_state
    ADD CONSTRAINT run_state_pkey PRIMARY KEY (run);
ALTER TABLE ONLY quark.segment
    ADD CONSTRAINT segment_pkey PRIMARY KEY (run, id);
ALTER TABLE ONLY quark.writer
    ADD CONSTRAINT writer_pkey PRIMARY KEY (run, id);
ALTER TABLE ONLY quark.writer
    ADD CONSTRAINT writer_run_name_key UNIQUE (run, name);
CREATE INDEX chunk_by_key ON quark.chunk USING btree (run, key_id, id);
CREATE INDEX chunk_tail ON quark.chunk USING btree (run, key_id) WHERE is_tail;
CREATE INDEX document_by_revision ON quark.document USING btree (namespace_id, kind, revision);
CREATE INDEX record_by_kind ON quark.record USING btree (run, kind, "position");
CREATE INDEX record_by_step ON quark.record USING btree (run, kind, step) WHERE (step IS NOT NULL);
CREATE INDEX run_by_creation ON quark.run USING btree (namespace_id, creation_time_us, run_id);
CREATE INDEX run_by_project ON quark.run USING btree (namespace_id, project_name, workspace);
ALTER TABLE ONLY quark.run
    ADD CONSTRAINT run_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES quark.namespace(id);
