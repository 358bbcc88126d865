//! The tables of what goes out to others and comes in from them: trees over logs, subscriptions, peers.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    log_node (owner, level, number) {
        owner -> Text,
        level -> SmallInt,
        number -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    log_epoch (owner, epoch) {
        owner -> Text,
        epoch -> BigInt,
        fork_position -> BigInt,
        begun_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    log_key (id) {
        id -> Text,
        public_key -> Binary,
        seed -> Nullable<Binary>,
        created_at -> SqlMoment,
        retired_at -> Nullable<SqlMoment>,
        endorsed_by -> Nullable<Text>,
        endorsement -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    subscription (owner, id) {
        owner -> Text,
        id -> SqlId,
        version -> Integer,
        state -> SmallInt,
        content -> Text,
        reader -> Text,
        secret -> Binary,
        former_secret -> Nullable<Binary>,
        former_until -> Nullable<SqlMoment>,
        created_at -> SqlMoment,
        created_by -> Text,
        changed_at -> SqlMoment,
        verified_at -> Nullable<SqlMoment>,
        rate -> Nullable<Integer>,
        reason -> Nullable<Text>,
        position -> BigInt,
        since -> SqlMoment,
        begun -> Nullable<SqlMoment>,
        rights -> Binary,
        holder -> SqlId,
        held_until -> SqlMoment,
        failures -> Integer,
        failing_since -> Nullable<SqlMoment>,
        failure -> Nullable<Text>,
        next_at -> Nullable<SqlMoment>,
        succeeded_at -> Nullable<SqlMoment>,
        deliveries -> BigInt,
        again -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    peer (name) {
        name -> Text,
        owner -> Text,
        version -> Integer,
        settings -> Text,
        url -> Text,
        created_at -> SqlMoment,
        created_by -> Text,
        status -> SmallInt,
        whole -> SmallInt,
        place -> Text,
        position -> BigInt,
        complete_at -> Nullable<SqlMoment>,
        received_at -> Nullable<SqlMoment>,
        heard_at -> Nullable<SqlMoment>,
        restarts -> Integer,
        failures -> Integer,
        failure -> Nullable<Text>,
        needs_model -> Nullable<Text>,
        holder -> SqlId,
        held_until -> SqlMoment,
        log_keys -> Nullable<Text>,
        unproven_from -> Nullable<BigInt>,
        origin_epoch -> Nullable<BigInt>,
        dangles -> SmallInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    push (name) {
        name -> Text,
        owner -> Text,
        version -> Integer,
        settings -> Text,
        created_at -> SqlMoment,
        created_by -> Text,
        status -> SmallInt,
        heard_at -> Nullable<SqlMoment>,
        failures -> Integer,
        failure -> Nullable<Text>,
        holder -> SqlId,
        held_until -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    model_package (name, version) {
        name -> Text,
        version -> Text,
        digest -> Text,
        files -> Text,
        url -> Text,
        installed_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    subscription_delivery (owner, subscription_id, number) {
        owner -> Text,
        subscription_id -> SqlId,
        number -> BigInt,
        kind -> SmallInt,
        sent_at -> SqlMoment,
        again_of -> Nullable<BigInt>,
        from_position -> BigInt,
        from_since -> SqlMoment,
        from_begun -> Nullable<SqlMoment>,
        to_position -> BigInt,
        entries -> Integer,
        status -> Nullable<SmallInt>,
        millis -> Integer,
        failure -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    copy_batch (owner, position) {
        owner -> Text,
        position -> BigInt,
        complete_at -> SqlMoment,
        received_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    transfer (owner, id) {
        owner -> Text,
        id -> SqlId,
        kind -> SmallInt,
        side -> SmallInt,
        state -> SmallInt,
        other -> Text,
        content -> Text,
        created_at -> SqlMoment,
        created_by -> Text,
        changed_at -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    directory_transfer (id, giver, receiver) {
        id -> SqlId,
        giver -> Text,
        receiver -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    transfer_task (owner, transfer_id) {
        owner -> Text,
        transfer_id -> SqlId,
        caller -> Text,
        controller -> Nullable<SqlId>,
        attempts -> Integer,
        failure -> Nullable<Text>,
        holder -> SqlId,
        held_until -> SqlMoment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;

    transfer_record (owner, record_id) {
        owner -> Text,
        record_id -> SqlId,
        transfer_id -> SqlId,
    }
}
