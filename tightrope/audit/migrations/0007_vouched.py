"""What only a holder of the master key may say to the database: acts on keys, records of custody, an exchange of the master key.

A role's password is not enough for them any more. Each carries an HMAC (RFC 2104) under a key that processes derive from the log's identity key and that
no role can read here. No stored row changes.
"""

from alembic import op

revision = "audit_0007"
down_revision = "audit_0006"
branch_labels = None
depends_on = None

TABLES = """
-- The key of the HMAC, already joined with the two pads of RFC 2104. No role is granted anything on it.
CREATE TABLE audit.custody_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    inner_pad bytea NOT NULL CHECK (pg_catalog.length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (pg_catalog.length(outer_pad) = 64),
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.custody_key FOR EACH STATEMENT EXECUTE FUNCTION audit.append_only();
ALTER TABLE audit.custody_key ENABLE ALWAYS TRIGGER append_only;
"""

FUNCTIONS = """
-- Null before the first process has given its key; afterwards whether the caller's is the same one.
CREATE FUNCTION audit.custody_known(digest bytea) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT sha256(k.inner_pad || k.outer_pad) = digest FROM audit.custody_key k
$$;
CREATE FUNCTION audit.custody_begin(inner_pad bytea, outer_pad bytea) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO audit.custody_key (inner_pad, outer_pad) VALUES (inner_pad, outer_pad) ON CONFLICT (one) DO NOTHING
$$;

CREATE FUNCTION audit.vouched(act text, parts bytea[], proof bytea) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    message bytea := convert_to(act, 'UTF8');
    part bytea;
BEGIN
    FOREACH part IN ARRAY parts LOOP
        message := message || int4send(length(part)) || part;
    END LOOP;
    RETURN coalesce((SELECT sha256(k.outer_pad || sha256(k.inner_pad || message)) = proof FROM audit.custody_key k), false);
END $$;

CREATE FUNCTION audit.must_be_vouched(act text, parts bytea[], proof bytea) RETURNS void LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT audit.vouched(act, parts, proof) THEN
        RAISE EXCEPTION '% is not vouched for by a holder of the master key: use the command of tightrope audit', act
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- Readers believe what these records say, so the role alone is not enough.
CREATE OR REPLACE FUNCTION audit.custody_only() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    -- A superuser could switch the trigger off anyway; a restore runs as one.
    IF (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = session_user) THEN
        RETURN NEW;
    END IF;
    IF session_user <> 'operator' THEN
        RAISE EXCEPTION 'only the role operator records %', NEW.event USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF audit.leaf_field(NEW.leaf, 'id') IS DISTINCT FROM NEW.id::text THEN
        RAISE EXCEPTION 'the leaf is not of the record %', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    PERFORM audit.must_be_vouched('record', ARRAY[uuid_send(NEW.id), NEW.leaf],
                                  decode(coalesce(current_setting('audit.proof', true), ''), 'hex'));
    RETURN NEW;
END $$;

-- A record of a destruction stands only beside the destruction: both in one transaction, by key_destroy, or neither.
CREATE FUNCTION audit.destroyed_indeed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM audit.keys k WHERE k.kid::text = audit.leaf_fact(NEW.leaf, 'kid') AND k.state = 'destroyed' AND k.record_id = NEW.id) THEN
        RAISE EXCEPTION 'the record % says that a key was destroyed, and it was not', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER destroyed_indeed AFTER INSERT ON audit.records DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.event = 'audit:key:destroyed') EXECUTE FUNCTION audit.destroyed_indeed();

-- The time by the log is a clock that custody asks: nobody but the sealer writes a beat.
CREATE FUNCTION audit.sealer_only() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF session_user <> 'sealer' AND NOT (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = session_user) THEN
        RAISE EXCEPTION 'only the role sealer records %', NEW.event USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sealer_only BEFORE INSERT ON audit.records FOR EACH ROW WHEN (NEW.event LIKE 'log:%') EXECUTE FUNCTION audit.sealer_only();
ALTER TABLE audit.records ENABLE ALWAYS TRIGGER sealer_only;

-- Bundles are verified from the leaves alone, so a leaf must not say another event than the column by which the database knows it.
CREATE FUNCTION audit.leaf_says_so() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF audit.leaf_field(NEW.leaf, 'event') IS DISTINCT FROM NEW.event
        AND NOT (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = session_user) THEN
        RAISE EXCEPTION 'the leaf of the record % is of another event than %', NEW.id, NEW.event USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER say_so BEFORE INSERT ON audit.records FOR EACH ROW EXECUTE FUNCTION audit.leaf_says_so();
ALTER TABLE audit.records ENABLE ALWAYS TRIGGER say_so;

-- When the log says that a key was destroyed. A record without a place in the tree counts only where the table of keys agrees with it.
CREATE OR REPLACE FUNCTION audit.key_gone(key uuid) RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT min(d.ts) FROM audit.records d WHERE d.event = 'audit:key:destroyed' AND audit.leaf_fact(d.leaf, 'kid') = key::text AND (
        EXISTS (SELECT FROM audit.leaves l WHERE l.record_id = d.id)
        OR EXISTS (SELECT FROM audit.keys k WHERE k.kid = key AND k.state = 'destroyed' AND k.record_id = d.id))
$$;

DROP FUNCTION audit.key_restrict(uuid, bytea, jsonb, text, uuid);
CREATE FUNCTION audit.key_restrict(key uuid, new_wrapped bytea, new_shares text, new_ground text, record uuid, proof bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.custody_lock();
    PERFORM audit.must_be_vouched('key_restrict', ARRAY[uuid_send(key), (SELECT k.wrapped FROM audit.keys k WHERE k.kid = key), new_wrapped,
        convert_to(new_shares, 'UTF8'), convert_to(new_ground, 'UTF8'), uuid_send(record)], proof);
    IF NOT audit.recorded(record, ARRAY['audit:subject:restricted', 'audit:subject:opened'], key) THEN
        RAISE EXCEPTION 'the restriction of the key % is not on the record', key USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET state = 'restricted', wrapped = new_wrapped, shares = new_shares::jsonb, ground = new_ground, record_id = record,
        changed_at = CASE WHEN state = 'restricted' THEN changed_at ELSE clock_timestamp() END
    WHERE kid = key;
END $$;

DROP FUNCTION audit.key_release(uuid, bytea, uuid);
CREATE FUNCTION audit.key_release(key uuid, new_wrapped bytea, record uuid, proof bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.custody_lock();
    PERFORM audit.must_be_vouched('key_release', ARRAY[uuid_send(key), (SELECT k.wrapped FROM audit.keys k WHERE k.kid = key), new_wrapped,
        uuid_send(record)], proof);
    IF NOT audit.recorded(record, ARRAY['audit:subject:opened'], key) THEN
        RAISE EXCEPTION 'the release of the key % is not on the record', key USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET state = 'active', wrapped = new_wrapped, shares = NULL, ground = NULL, record_id = record, changed_at = clock_timestamp()
    WHERE kid = key AND state = 'restricted';
END $$;

DROP FUNCTION audit.key_rewrap(uuid, bytea, bytea);
CREATE FUNCTION audit.key_rewrap(key uuid, old_wrapped bytea, new_wrapped bytea, proof bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.must_be_vouched('key_rewrap', ARRAY[uuid_send(key), old_wrapped, new_wrapped], proof);
    IF NOT EXISTS (SELECT FROM audit.master_rotations WHERE done_at IS NULL) OR length(old_wrapped) <> length(new_wrapped) THEN
        RAISE EXCEPTION 'the master key is not being exchanged' USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET wrapped = new_wrapped WHERE kid = key AND wrapped = old_wrapped AND state <> 'destroyed';
    RETURN FOUND;
END $$;

-- Which master keys a log is kept under decides who may write at all, so that table too takes more than a role.
CREATE FUNCTION audit.master_exchange(new_check bytea, done boolean, proof bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.must_be_vouched('master_exchange', ARRAY[new_check, boolsend(done)], proof);
    IF done THEN
        UPDATE audit.master_rotations SET done_at = clock_timestamp() WHERE check_value = new_check;
    ELSE
        INSERT INTO audit.master_rotations (check_value) VALUES (new_check) ON CONFLICT (check_value) DO UPDATE SET done_at = NULL;
    END IF;
END $$;

-- After a restore: what the log says was destroyed is destroyed again. Three clocks have to agree that the period is over: the database's, the log's
-- last beat, and the time of the record of the destruction, so that nobody gains by setting the database's forward.
DROP FUNCTION audit.key_replay(uuid, bytea);
CREATE FUNCTION audit.key_replay(key uuid, leaf bytea, proof bytea) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    today date;
    last_day date;
BEGIN
    PERFORM audit.must_be_vouched('key_replay', ARRAY[uuid_send(key), leaf], proof);
    IF audit.leaf_field(leaf, 'event') IS DISTINCT FROM 'audit:key:destroyed' OR audit.leaf_fact(leaf, 'kid') IS DISTINCT FROM key::text THEN
        RAISE EXCEPTION 'the leaf does not destroy the key %', key USING ERRCODE = 'check_violation';
    END IF;
    IF audit.leaf_field(leaf, 'id') IS NULL OR audit.leaf_field(leaf, 'ts') IS NULL THEN
        RAISE EXCEPTION 'the leaf names no record or no time' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM audit.custody_lock();
    IF EXISTS (SELECT FROM audit.key_holds(key)) THEN
        RAISE EXCEPTION 'the key % is held: the leaf is not believed', key USING ERRCODE = 'check_violation';
    END IF;
    today := least(clock_timestamp(), audit.log_time(), audit.leaf_field(leaf, 'ts')::timestamptz) AT TIME ZONE 'UTC';
    SELECT p.until INTO last_day FROM audit.key_period(key) p;
    IF last_day >= today THEN
        RAISE EXCEPTION 'the records under the key % are kept until %, and by the clock that is least ahead it is %: run the sealer, then say it again',
            key, last_day, today USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET state = 'destroyed', wrapped = '', shares = NULL, ground = NULL, record_id = audit.leaf_field(leaf, 'id')::uuid,
        changed_at = clock_timestamp()
    WHERE kid = key AND state <> 'destroyed';
    RETURN FOUND;
END $$;

-- The record says until when; an old record must not serve for another day.
CREATE OR REPLACE FUNCTION audit.key_extend(key uuid, day date, record uuid) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM audit.custody_lock();
    IF NOT audit.recorded(record, ARRAY['audit:retention:extended'], key)
        OR NOT EXISTS (SELECT FROM audit.records r WHERE r.id = record AND audit.leaf_fact(r.leaf, 'until')::date = day) THEN
        RAISE EXCEPTION 'the extension of the key % is not on the record', key USING ERRCODE = 'check_violation';
    END IF;
    UPDATE audit.keys SET keep_until = greatest(keep_until, day) WHERE kid = key;
END $$;
"""

GRANTS = """
REVOKE ALL ON FUNCTION audit.custody_known(bytea), audit.custody_begin(bytea, bytea), audit.vouched(text, bytea[], bytea),
    audit.must_be_vouched(text, bytea[], bytea), audit.destroyed_indeed(), audit.sealer_only(), audit.leaf_says_so(),
    audit.key_restrict(uuid, bytea, text, text, uuid, bytea), audit.key_release(uuid, bytea, uuid, bytea),
    audit.key_rewrap(uuid, bytea, bytea, bytea), audit.master_exchange(bytea, boolean, bytea), audit.key_replay(uuid, bytea, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.custody_known(bytea), audit.custody_begin(bytea, bytea) TO gateway, worker, operator, auditor;
GRANT EXECUTE ON FUNCTION audit.key_restrict(uuid, bytea, text, text, uuid, bytea), audit.key_release(uuid, bytea, uuid, bytea),
    audit.key_rewrap(uuid, bytea, bytea, bytea), audit.master_exchange(bytea, boolean, bytea), audit.key_replay(uuid, bytea, bytea) TO operator;
REVOKE INSERT (check_value), UPDATE (done_at) ON audit.master_rotations FROM operator;
"""


def upgrade() -> None:
    """Let the database ask for more than a role's password."""
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    op.execute(GRANTS)
