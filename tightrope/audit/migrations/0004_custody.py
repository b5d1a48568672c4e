"""Custody: states of keys, legal holds, proposals for two people, exchange of the master key; and what the database itself refuses."""

from alembic import op

revision = "audit_0004"
down_revision = "audit_0003"
branch_labels = None
depends_on = None

TABLES = """
-- Leaves are JSON; both functions are used in indexes, so that the log itself, not a table beside it, says what was destroyed.
CREATE FUNCTION audit.leaf_field(leaf bytea, field text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = '' AS $$
    SELECT pg_catalog.convert_from(leaf, 'UTF8')::jsonb ->> field
$$;
CREATE FUNCTION audit.leaf_fact(leaf bytea, fact text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = '' AS $$
    SELECT pg_catalog.convert_from(leaf, 'UTF8')::jsonb -> 'facts' ->> fact
$$;
CREATE INDEX records_kid ON audit.records (kid);
CREATE INDEX records_destroyed ON audit.records (audit.leaf_fact(leaf, 'kid')) WHERE event = 'audit:key:destroyed';
CREATE INDEX keys_year ON audit.keys (year, kid) WHERE state <> 'destroyed';
-- What is asked for by its newest: without it each start of the sealer and each look at the console would read every record.
CREATE INDEX records_log ON audit.records (event, ord) WHERE event IN ('log:sequencer:beat', 'log:shard:opened', 'log:gap:declared');

ALTER TABLE audit.keys
    ADD COLUMN shares jsonb,
    ADD COLUMN ground text,
    ADD COLUMN changed_at timestamptz,
    ADD COLUMN record_id uuid,
    ADD COLUMN keep_until date,
    ADD CONSTRAINT destroyed_is_empty CHECK ((state = 'destroyed') = (pg_catalog.length(wrapped) = 0)),
    ADD CONSTRAINT restricted_has_shares CHECK ((state = 'restricted') = (shares IS NOT NULL));

CREATE TABLE audit.holds (
    id uuid PRIMARY KEY,
    subject_hash bytea,
    conv uuid,
    first date,
    last date,
    case_number text NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    placed_record uuid NOT NULL,
    lifted_at timestamptz,
    lifted_record uuid,
    CHECK (num_nonnulls(subject_hash, conv, first) = 1 AND (first IS NULL) = (last IS NULL) AND last >= first)
);

CREATE TABLE audit.proposals (
    id uuid PRIMARY KEY,
    act text NOT NULL CHECK (act IN ('open', 'release', 'destroy', 'lift')),
    kids uuid[] NOT NULL,
    hold_id uuid REFERENCES audit.holds,
    signed jsonb NOT NULL,
    shares jsonb NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_at timestamptz,
    outcome text,
    CHECK ((decided_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX proposals_waiting ON audit.proposals (proposed_at) WHERE outcome IS NULL;

-- The master key that the log was begun with is in audit.master; here are those that took its place.
CREATE TABLE audit.master_rotations (
    check_value bytea PRIMARY KEY,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz
);
"""

FUNCTIONS = """
-- No statement of any role, an owner's included, brings a destroyed key back, gives a key another owner, shortens a period or unlifts a hold.
CREATE FUNCTION audit.key_one_way() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF OLD.state = 'destroyed' THEN
        RAISE EXCEPTION 'the key % was destroyed, for good', OLD.kid USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (NEW.kid, NEW.subject_hash, NEW.class, NEW.year, NEW.created_at) IS DISTINCT FROM (OLD.kid, OLD.subject_hash, OLD.class, OLD.year, OLD.created_at)
        OR COALESCE(NEW.keep_until, '-infinity') < COALESCE(OLD.keep_until, '-infinity') THEN
        RAISE EXCEPTION 'the key % keeps its owner, and its period is never made shorter', OLD.kid USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER one_way BEFORE UPDATE ON audit.keys FOR EACH ROW EXECUTE FUNCTION audit.key_one_way();
ALTER TABLE audit.keys ENABLE ALWAYS TRIGGER one_way;

CREATE FUNCTION audit.hold_one_way() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.lifted_at IS NOT NULL OR
        (NEW.id, NEW.subject_hash, NEW.conv, NEW.first, NEW.last, NEW.case_number) IS DISTINCT FROM
        (OLD.id, OLD.subject_hash, OLD.conv, OLD.first, OLD.last, OLD.case_number) THEN
        RAISE EXCEPTION 'a hold is lifted once and else stays as it is' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER one_way BEFORE UPDATE OR DELETE ON audit.holds FOR EACH ROW EXECUTE FUNCTION audit.hold_one_way();
ALTER TABLE audit.holds ENABLE ALWAYS TRIGGER one_way;

-- Readers believe the log's word that a key is destroyed, so only the role that custodians act under may say it.
CREATE FUNCTION audit.custody_only() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    -- A superuser could switch the trigger off anyway; a restore runs as one.
    IF session_user <> 'operator' AND NOT (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = session_user) THEN
        RAISE EXCEPTION 'only the role operator records %', NEW.event USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER custody_only BEFORE INSERT ON audit.records FOR EACH ROW
    WHEN (NEW.event IN ('audit:key:destroyed', 'audit:destruction:proposed', 'audit:destruction:refused', 'audit:hold:placed', 'audit:hold:lifted',
                        'audit:subject:restricted', 'audit:subject:opened', 'audit:retention:extended', 'audit:master:rotated'))
    EXECUTE FUNCTION audit.custody_only();
ALTER TABLE audit.records ENABLE ALWAYS TRIGGER custody_only;

-- A hold and a destruction never pass each other: every act of custody takes this lock first.
CREATE FUNCTION audit.custody_lock() RETURNS void LANGUAGE sql VOLATILE SET search_path = '' AS $$
    SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('tightrope audit custody', 0))
$$;

-- The last day of the records under a key, its extension included, and how many records there are.
CREATE FUNCTION audit.key_period(key uuid, OUT until date, OUT records bigint) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT greatest(max(audit.leaf_field(r.leaf, 'until')::date), (SELECT k.keep_until FROM audit.keys k WHERE k.kid = key)), count(*)
    FROM audit.records r WHERE r.kid = key
$$;

CREATE FUNCTION audit.key_holds(key uuid) RETURNS SETOF audit.holds LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT h.* FROM audit.holds h WHERE h.lifted_at IS NULL AND (
        (h.subject_hash IS NOT NULL AND (
            EXISTS (SELECT FROM audit.keys k WHERE k.kid = key AND k.subject_hash = h.subject_hash)
            OR EXISTS (SELECT FROM audit.records mine JOIN audit.records theirs ON theirs.conv = mine.conv JOIN audit.keys k ON k.kid = theirs.kid
                       WHERE mine.kid = key AND k.subject_hash = h.subject_hash)))
        OR (h.conv IS NOT NULL AND EXISTS (SELECT FROM audit.records r WHERE r.kid = key AND r.conv = h.conv))
        OR (h.first IS NOT NULL AND EXISTS (SELECT FROM audit.records r WHERE r.kid = key
            AND r.ts >= (h.first::timestamp AT TIME ZONE 'UTC') AND r.ts < ((h.last + 1)::timestamp AT TIME ZONE 'UTC'))))
$$;

-- When the log says that a key was destroyed.
CREATE FUNCTION audit.key_gone(key uuid) RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT min(d.ts) FROM audit.records d WHERE d.event = 'audit:key:destroyed' AND audit.leaf_fact(d.leaf, 'kid') = key::text
$$;

-- What the sequencer's last beat says the time is; null while the log has no beats.
CREATE FUNCTION audit.log_time() RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT r.ts FROM audit.records r WHERE r.event = 'log:sequencer:beat' ORDER BY r.ord DESC LIMIT 1
$$;

-- Keys whose period is over on a day, of the years up to one; the year spares the look at keys that cannot be over.
CREATE FUNCTION audit.keys_expired(day date, up_to integer, most integer)
RETURNS TABLE (kid uuid, class text, year smallint, state text, until date, records bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT k.kid, k.class, k.year, k.state, p.until, p.records FROM audit.keys k CROSS JOIN LATERAL audit.key_period(k.kid) p
    WHERE k.state <> 'destroyed' AND k.year <= up_to AND p.until < day ORDER BY k.year, k.kid LIMIT most
$$;

-- Keys of a customer, and of what was said in the same conversations before the customer was known.
CREATE FUNCTION audit.keys_of(owner bytea) RETURNS TABLE (kid uuid, conversation_id text, subject_hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT k.kid, NULL::text, k.subject_hash FROM audit.keys k WHERE k.subject_hash = owner
    UNION
    SELECT DISTINCT other.kid, c.conversation_id, ok.subject_hash FROM audit.keys k
        JOIN audit.records r ON r.kid = k.kid JOIN audit.records other ON other.conv = r.conv
        JOIN audit.conversations c ON c.conv = other.conv JOIN audit.keys ok ON ok.kid = other.kid
    WHERE k.subject_hash = owner
$$;
CREATE FUNCTION audit.keys_in(conversation uuid) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT DISTINCT r.kid FROM audit.records r WHERE r.conv = conversation AND r.kid IS NOT NULL
$$;
CREATE FUNCTION audit.conversations_under(keys uuid[]) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT DISTINCT c.conversation_id FROM audit.records r JOIN audit.conversations c ON c.conv = r.conv WHERE r.kid = ANY (keys) ORDER BY 1
$$;

-- A change of a key needs its record: it must be there, of the right event, and name the key.
CREATE FUNCTION audit.recorded(record uuid, events text[], key uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (SELECT FROM audit.records r WHERE r.id = record AND r.event = ANY (events) AND (
        audit.leaf_fact(r.leaf, 'kid') = key::text OR audit.leaf_fact(r.leaf, 'kids')::jsonb ? key::text))
$$;

CREATE FUNCTION audit.key_restrict(key uuid, new_wrapped bytea, new_shares jsonb, new_ground text, record uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.custody_lock();
    IF NOT audit.recorded(record, ARRAY['audit:subject:restricted', 'audit:subject:opened'], key) THEN
        RAISE EXCEPTION 'the restriction of the key % is not on the record', key USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET state = 'restricted', wrapped = new_wrapped, shares = new_shares, ground = new_ground, record_id = record,
        changed_at = CASE WHEN state = 'restricted' THEN changed_at ELSE clock_timestamp() END
    WHERE kid = key;
END $$;

CREATE FUNCTION audit.key_release(key uuid, new_wrapped bytea, record uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.custody_lock();
    IF NOT audit.recorded(record, ARRAY['audit:subject:opened'], key) THEN
        RAISE EXCEPTION 'the release of the key % is not on the record', key USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET state = 'active', wrapped = new_wrapped, shares = NULL, ground = NULL, record_id = record, changed_at = clock_timestamp()
    WHERE kid = key AND state = 'restricted';
END $$;

CREATE FUNCTION audit.key_destroy(key uuid, day date, record uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    last_day date;
    today date := least(day, (clock_timestamp() AT TIME ZONE 'UTC')::date, (audit.log_time() AT TIME ZONE 'UTC')::date);
BEGIN
    PERFORM audit.custody_lock();
    IF NOT audit.recorded(record, ARRAY['audit:key:destroyed'], key) THEN
        RAISE EXCEPTION 'the destruction of the key % is not on the record', key USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM audit.key_holds(key)) THEN
        RAISE EXCEPTION 'the key % is held', key USING ERRCODE = 'check_violation';
    END IF;
    SELECT p.until INTO last_day FROM audit.key_period(key) p WHERE p.records > 0;
    IF last_day IS NULL OR today <= last_day THEN
        RAISE EXCEPTION 'the records under the key % are kept until %', key, coalesce(last_day::text, 'an unknown day') USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET state = 'destroyed', wrapped = '', shares = NULL, ground = NULL, record_id = record, changed_at = clock_timestamp()
    WHERE kid = key;
END $$;

-- After a restore: what the log says was destroyed is destroyed again. The caller has checked the leaf's two signatures; a hold or a period that is
-- not over stands against it all the same, so that nobody destroys by this door what the other one keeps.
CREATE FUNCTION audit.key_replay(key uuid, leaf bytea) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF audit.leaf_field(leaf, 'event') IS DISTINCT FROM 'audit:key:destroyed' OR audit.leaf_fact(leaf, 'kid') IS DISTINCT FROM key::text THEN
        RAISE EXCEPTION 'the leaf does not destroy the key %', key USING ERRCODE = 'check_violation';
    END IF;
    PERFORM audit.custody_lock();
    IF audit.leaf_field(leaf, 'id') IS NULL THEN
        RAISE EXCEPTION 'the leaf names no record' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM audit.key_holds(key))
        OR (SELECT p.until >= (clock_timestamp() AT TIME ZONE 'UTC')::date FROM audit.key_period(key) p) THEN
        RAISE EXCEPTION 'the key % is held or its period is not over: the leaf is not believed', key USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET state = 'destroyed', wrapped = '', shares = NULL, ground = NULL, record_id = audit.leaf_field(leaf, 'id')::uuid,
        changed_at = clock_timestamp()
    WHERE kid = key AND state <> 'destroyed';
    RETURN FOUND;
END $$;

CREATE FUNCTION audit.key_extend(key uuid, day date, record uuid) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.custody_lock();
    IF NOT audit.recorded(record, ARRAY['audit:retention:extended'], key) THEN
        RAISE EXCEPTION 'the extension of the key % is not on the record', key USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET keep_until = greatest(keep_until, day) WHERE kid = key;
END $$;

CREATE FUNCTION audit.hold_lift(hold uuid, record uuid) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.custody_lock();
    IF NOT EXISTS (SELECT FROM audit.records r WHERE r.id = record AND r.event = 'audit:hold:lifted' AND audit.leaf_fact(r.leaf, 'hold') = hold::text) THEN
        RAISE EXCEPTION 'the lifting of the hold % is not on the record', hold USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.holds SET lifted_at = clock_timestamp(), lifted_record = record WHERE id = hold;
END $$;

-- The same key under another master key; only where the row is still the one that was read.
CREATE FUNCTION audit.key_rewrap(key uuid, old_wrapped bytea, new_wrapped bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM audit.master_rotations WHERE done_at IS NULL) OR pg_catalog.length(old_wrapped) <> pg_catalog.length(new_wrapped) THEN
        RAISE EXCEPTION 'the master key is not being exchanged' USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET wrapped = new_wrapped WHERE kid = key AND wrapped = old_wrapped AND state <> 'destroyed';
    RETURN FOUND;
END $$;
"""

GRANTS = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
-- A writer adds an active key of today and nothing else: a row made older than the owner's own, or destroyed, would stop that customer's records.
REVOKE INSERT ON audit.keys FROM gateway, worker, operator, auditor;
GRANT INSERT (kid, subject_hash, class, year, wrapped) ON audit.keys TO gateway, worker, operator, auditor;
-- Indexes on audit.records use them, so whoever writes a record runs them.
GRANT EXECUTE ON FUNCTION audit.leaf_field(bytea, text), audit.leaf_fact(bytea, text) TO gateway, worker, operator, auditor, sealer;
GRANT EXECUTE ON FUNCTION audit.key_period(uuid), audit.key_holds(uuid), audit.key_gone(uuid), audit.log_time(), audit.keys_expired(date, integer, integer),
    audit.keys_of(bytea), audit.keys_in(uuid), audit.conversations_under(uuid[]) TO operator, auditor;
GRANT EXECUTE ON FUNCTION audit.custody_lock(), audit.key_restrict(uuid, bytea, jsonb, text, uuid), audit.key_release(uuid, bytea, uuid),
    audit.key_destroy(uuid, date, uuid), audit.key_replay(uuid, bytea), audit.key_extend(uuid, date, uuid),
    audit.hold_lift(uuid, uuid), audit.key_rewrap(uuid, bytea, bytea) TO operator;
GRANT SELECT ON audit.holds, audit.proposals TO operator, auditor;
GRANT INSERT (id, subject_hash, conv, first, last, case_number, placed_record) ON audit.holds TO operator;
GRANT INSERT (id, act, kids, hold_id, signed, shares) ON audit.proposals TO operator;
GRANT UPDATE (decided_at, outcome) ON audit.proposals TO operator;
GRANT SELECT ON audit.master_rotations TO gateway, worker, operator, auditor;
GRANT INSERT (check_value) ON audit.master_rotations TO operator;
GRANT UPDATE (done_at) ON audit.master_rotations TO operator;
"""


def upgrade() -> None:
    """Add what custody needs to the schema `audit`."""
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    op.execute(GRANTS)
