//! The tables, as both databases have them (a test compares these files with each).

pub(crate) mod outward;

/// The texts of these files, for the tests that compare them with what there is.
#[cfg(test)]
pub(crate) const TEXTS: [&str; 2] = [include_str!("schema.rs"), include_str!("schema/outward.rs")];

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    access_grant (id) {
        id -> SqlId,
        subject_kind -> SmallInt,
        subject -> Text,
        content -> Text,
        reason -> Nullable<Text>,
        created_at -> SqlMoment,
        created_by -> Text,
        ended_at -> Nullable<SqlMoment>,
        ended_by -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    owner (key) {
        key -> Text,
        name -> Text,
        organisation -> Nullable<SqlId>,
        open_data -> SmallInt,
        protection_policy -> Text,
        position -> BigInt,
        last_instant -> SqlMoment,
        created_at -> SqlMoment,
        epoch -> BigInt,
        tree_size -> BigInt,
        tree_nodes -> Binary,
        told_day -> SqlDay,
        told_record -> Nullable<SqlId>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    record (owner, id) {
        owner -> Text,
        id -> SqlId,
        domain -> SmallInt,
        controller -> Nullable<SqlId>,
        origin -> Nullable<Text>,
        version -> Integer,
        status -> SmallInt,
        protected_until -> SqlDay,
        protection -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    state (owner, record_id, superseded_at, valid_from) {
        owner -> Text,
        record_id -> SqlId,
        superseded_at -> SqlMoment,
        valid_from -> SqlDay,
        valid_to -> SqlDay,
        recorded_at -> SqlMoment,
        domain -> SmallInt,
        version -> Integer,
        change_kind -> SmallInt,
        model -> Text,
        body -> Text,
        hash -> Binary,
        display -> Nullable<Text>,
        kind -> Nullable<Text>,
        classes -> SmallInt,
        protection -> SmallInt,
        has_links -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    identifier (owner, scheme, value, record_id, issuer, valid_from, recorded_at) {
        owner -> Text,
        scheme -> Text,
        value -> Text,
        record_id -> SqlId,
        issuer -> Text,
        valid_from -> SqlDay,
        recorded_at -> SqlMoment,
        valid_to -> SqlDay,
        superseded_at -> SqlMoment,
        status -> Text,
        class -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    link (owner, source_id, relation, target_id, valid_from, recorded_at) {
        owner -> Text,
        source_id -> SqlId,
        relation -> Text,
        target_id -> SqlId,
        valid_from -> SqlDay,
        recorded_at -> SqlMoment,
        valid_to -> SqlDay,
        superseded_at -> SqlMoment,
        source_domain -> SmallInt,
        class -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    entry (owner, domain, property, mode, value, record_id, valid_from, recorded_at) {
        owner -> Text,
        domain -> SmallInt,
        property -> Text,
        mode -> SmallInt,
        value -> Text,
        record_id -> SqlId,
        valid_from -> SqlDay,
        recorded_at -> SqlMoment,
        valid_to -> SqlDay,
        superseded_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    pending_reference (owner, scheme, value, record_id) {
        owner -> Text,
        scheme -> Text,
        value -> Text,
        record_id -> SqlId,
        domain -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    waited_reference (owner, scheme, value, record_id) {
        owner -> Text,
        scheme -> Text,
        value -> Text,
        record_id -> SqlId,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    term (owner, domain, word) {
        owner -> Text,
        domain -> SmallInt,
        word -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    term_variant (owner, domain, deletion, word) {
        owner -> Text,
        domain -> SmallInt,
        deletion -> Text,
        word -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    geometry (owner, hash) {
        owner -> Text,
        hash -> Text,
        body -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    change (owner, position) {
        owner -> Text,
        position -> BigInt,
        record_id -> SqlId,
        domain -> SmallInt,
        version -> Integer,
        recorded_at -> SqlMoment,
        transaction_id -> SqlId,
        operation -> SmallInt,
        change_kind -> SmallInt,
        corrects -> Nullable<Integer>,
        actor -> Text,
        reason -> Nullable<Text>,
        source -> Nullable<Text>,
        valid_from -> SqlDay,
        valid_to -> SqlDay,
        hash -> Binary,
        leaf -> Nullable<Binary>,
        opening -> Nullable<Binary>,
        effective_on -> SqlDay,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    accepted_transaction (owner, id) {
        owner -> Text,
        id -> SqlId,
        first_position -> BigInt,
        last_position -> BigInt,
        recorded_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    idempotency (owner, key_hash) {
        owner -> Text,
        key_hash -> Binary,
        request_hash -> Binary,
        outcome -> Text,
        created_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    token (hash) {
        hash -> Binary,
        name -> Text,
        grants -> Text,
        created_at -> SqlMoment,
        expires_at -> Nullable<SqlMoment>,
        revoked_at -> Nullable<SqlMoment>,
        last_used_at -> Nullable<SqlMoment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    directory_id (id) {
        id -> SqlId,
        owner -> Text,
        domain -> SmallInt,
        forward_to -> Nullable<SqlId>,
        erased -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    directory_identifier (scheme, value, owner, record_id) {
        scheme -> Text,
        value -> Text,
        owner -> Text,
        record_id -> SqlId,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    owner_reference (target, source) {
        target -> Text,
        source -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    retention_rule (owner, id) {
        owner -> Text,
        id -> SqlId,
        controller -> Nullable<SqlId>,
        domain -> Nullable<SmallInt>,
        kind -> Nullable<Text>,
        years -> Nullable<Integer>,
        decision -> Text,
        reference -> Text,
        archive -> Nullable<Text>,
        valid_from -> SqlDay,
        valid_to -> SqlDay,
        created_at -> SqlMoment,
        created_by -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    record_mark (owner, record_id, kind, id) {
        owner -> Text,
        record_id -> SqlId,
        kind -> SmallInt,
        id -> SqlId,
        reason -> Text,
        created_at -> SqlMoment,
        created_by -> Text,
        lifted_at -> Nullable<SqlMoment>,
        lifted_by -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    disposal (owner, id) {
        owner -> Text,
        id -> SqlId,
        begun_at -> SqlMoment,
        finished_at -> Nullable<SqlMoment>,
        actor -> Text,
        content -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    archive_delivery (owner, id) {
        owner -> Text,
        id -> SqlId,
        rule -> SqlId,
        archive -> Text,
        reference -> Text,
        delivered -> SqlDay,
        created_at -> SqlMoment,
        created_by -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    source (owner, key, version) {
        owner -> Text,
        key -> Text,
        version -> Integer,
        settings -> Text,
        created_at -> SqlMoment,
        created_by -> Text,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    load (owner, id) {
        owner -> Text,
        id -> SqlId,
        source -> Text,
        source_version -> Integer,
        kind -> SmallInt,
        status -> SmallInt,
        reverses -> Nullable<SqlId>,
        batches -> Integer,
        reached_turn -> Integer,
        reached_row -> BigInt,
        content -> Text,
        created_at -> SqlMoment,
        created_by -> Text,
        changed_at -> SqlMoment,
        pruned -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    load_row (owner, load_id, number) {
        owner -> Text,
        load_id -> SqlId,
        number -> BigInt,
        file_row -> BigInt,
        record_name -> Text,
        key -> Text,
        key_hash -> Binary,
        domain -> SmallInt,
        outcome -> SmallInt,
        turn -> Integer,
        state -> SmallInt,
        record_id -> Nullable<SqlId>,
        base_version -> Nullable<Integer>,
        classes -> SmallInt,
        protection -> SmallInt,
        content -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    load_batch (owner, load_id, number) {
        owner -> Text,
        load_id -> SqlId,
        number -> Integer,
        transaction_id -> Nullable<SqlId>,
        recorded_at -> SqlMoment,
        reached_turn -> Integer,
        reached_row -> BigInt,
        row_count -> Integer,
        findings -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    assertion (owner, source, key_hash) {
        owner -> Text,
        source -> Text,
        key_hash -> Binary,
        hash -> Binary,
        present -> SmallInt,
        record_id -> SqlId,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    assertion_content (owner, source, key_hash) {
        owner -> Text,
        source -> Text,
        key_hash -> Binary,
        record_name -> Text,
        key -> Text,
        domain -> SmallInt,
        content -> Text,
        first_load -> SqlId,
        load_id -> SqlId,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    former_head (owner, record_id, superseded_at) {
        owner -> Text,
        record_id -> SqlId,
        superseded_at -> SqlMoment,
        controller -> Nullable<SqlId>,
        origin -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    raised_protection (owner, position) {
        owner -> Text,
        position -> BigInt,
        record_id -> SqlId,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    feed_key (owner) {
        owner -> Text,
        secret -> Binary,
        created_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    load_task (owner, load_id) {
        owner -> Text,
        load_id -> SqlId,
        kind -> SmallInt,
        caller -> Text,
        attempts -> Integer,
        holder -> SqlId,
        held_until -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    source_watch (owner, source) {
        owner -> Text,
        source -> Text,
        holder -> SqlId,
        held_until -> SqlMoment,
        tried_at -> Nullable<SqlMoment>,
        same_at -> Nullable<SqlMoment>,
        failures -> Integer,
        failure -> Nullable<Text>,
    }
}
