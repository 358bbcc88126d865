//! The set-wise statements of a flush: ending the belief in rows, changing heads, inserting what may be there already.

use grunddata_model::Period;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, LIST, NO_ID, Sql};
use crate::sql_types::Id;
use crate::write::rows::RecordRow;

/// How rows of a table are found when they are superseded: the key columns in the order of the values.
pub(crate) struct Superseded {
    table: &'static str,
    columns: &'static [&'static str],
}

pub(crate) const STATES: Superseded = Superseded {
    table: "state",
    columns: &["record_id", "valid_from"],
};
pub(crate) const LINKS: Superseded = Superseded {
    table: "link",
    columns: &["source_id", "relation", "target_id", "valid_from"],
};
pub(crate) const IDENTIFIERS: Superseded = Superseded {
    table: "identifier",
    columns: &["scheme", "value", "record_id", "issuer", "valid_from"],
};
pub(crate) const ENTRIES: Superseded = Superseded {
    table: "entry",
    columns: &[
        "domain",
        "property",
        "mode",
        "value",
        "record_id",
        "valid_from",
    ],
};

/// Ends the belief in rows. Each row of values is the key and, last, the instant. Exactly the expected rows must be hit.
pub(crate) fn supersede(
    connection: &mut Connection,
    owner: &str,
    what: &Superseded,
    rows: Vec<Vec<Bind<'_>>>,
) -> Result<(), StoreError> {
    if let Connection::Sqlite(_) = connection {
        return supersede_each(connection, owner, what, rows);
    }
    let instant = format!("column{}", what.columns.len() + 1);
    for chunk in rows.chunks(LIST) {
        let table = what.table;
        let mut sql = Sql::<()>::new(&format!(
            "UPDATE {table} SET superseded_at = u.{instant} FROM "
        ));
        let padding = chunk
            .first()
            .map(|row| row.iter().map(impossible).collect::<Vec<_>>());
        let size = chunk.len().next_power_of_two();
        let padded = chunk
            .iter()
            .cloned()
            .chain(padding.into_iter().cycle())
            .take(size);
        sql.rows("u", padded);
        sql.push(&format!(" WHERE {table}.owner = ")).text(owner);
        sql.push(&format!(" AND {table}.superseded_at = "))
            .forever();
        for (index, column) in what.columns.iter().enumerate() {
            sql.push(&format!(" AND {table}.{column} = u.column{}", index + 1));
        }
        let hit = connection.execute(&sql)?;
        if hit != chunk.len() {
            return Err(StoreError::disagrees(format!(
                "index-disagrees: {table}: {hit} believed rows where {} were expected",
                chunk.len()
            )));
        }
    }
    Ok(())
}

/// The same row by row. SQLite plans a join with a list of values by guesses and may read the whole table for it, and
/// there is no round trip to spare.
fn supersede_each(
    connection: &mut Connection,
    owner: &str,
    what: &Superseded,
    rows: Vec<Vec<Bind<'_>>>,
) -> Result<(), StoreError> {
    let table = what.table;
    for mut row in rows {
        let Some(instant) = row.pop() else {
            continue;
        };
        let mut sql = Sql::<()>::new("UPDATE ");
        sql.push(table).push(" SET superseded_at = ").bind(instant);
        sql.push(" WHERE owner = ")
            .text(owner)
            .push(" AND superseded_at = ")
            .forever();
        for (column, value) in what.columns.iter().zip(row) {
            sql.push(" AND ").push(column).push(" = ").bind(value);
        }
        if connection.execute(&sql)? != 1 {
            let what = format!("index-disagrees: {table}: no believed row where one was expected");
            return Err(StoreError::disagrees(what));
        }
    }
    Ok(())
}

/// A value of the same type that no key holds.
fn impossible<'a>(bind: &Bind<'a>) -> Bind<'a> {
    match bind {
        Bind::Id(_) => Bind::Id(NO_ID),
        Bind::Text(_) => Bind::Text("".into()),
        Bind::Small(_) => Bind::Small(-1),
        other => other.clone(),
    }
}

pub(crate) fn update_records(
    connection: &mut Connection,
    owner: &str,
    rows: &[RecordRow<'_>],
) -> Result<(), StoreError> {
    if let Connection::Sqlite(_) = connection {
        return update_each_record(connection, owner, rows);
    }
    for chunk in rows.chunks(LIST) {
        let values = |row: &RecordRow<'_>| {
            vec![
                Bind::Id(row.id),
                Bind::OptId(row.controller),
                Bind::OptText(row.origin.map(|origin| origin.to_owned().into())),
                Bind::Int(row.version),
                Bind::Small(row.status),
                Bind::Day(row.protected_until),
                Bind::Small(row.protection),
            ]
        };
        let padding = chunk.first().map(|row| {
            values(&RecordRow {
                id: NO_ID,
                ..row.clone()
            })
        });
        let size = chunk.len().next_power_of_two();
        let mut sql = Sql::<()>::new(
            "UPDATE record SET controller = u.column2, origin = u.column3, version = u.column4, status = u.column5, \
             protected_until = CASE WHEN record.protected_until > u.column6 THEN record.protected_until ELSE u.column6 END, \
             protection = CASE WHEN record.protection > u.column7 THEN record.protection ELSE u.column7 END FROM ",
        );
        sql.rows(
            "u",
            chunk
                .iter()
                .map(values)
                .chain(padding.into_iter().cycle())
                .take(size),
        );
        sql.push(" WHERE record.owner = ")
            .text(owner)
            .push(" AND record.id = u.column1 AND record.version = u.column4 - 1");
        let hit = connection.execute(&sql)?;
        if hit != chunk.len() {
            return Err(StoreError::disagrees(format!(
                "record: {hit} rows at the expected version where {} were expected",
                chunk.len()
            )));
        }
    }
    Ok(())
}

/// The same row by row, as in [`supersede_each`].
fn update_each_record(
    connection: &mut Connection,
    owner: &str,
    rows: &[RecordRow<'_>],
) -> Result<(), StoreError> {
    for row in rows {
        let mut sql = Sql::<()>::new("UPDATE record SET controller = ");
        sql.bind(Bind::OptId(row.controller)).push(", origin = ");
        sql.bind(Bind::OptText(row.origin.map(Into::into)))
            .push(", version = ");
        sql.int(row.version).push(", status = ").small(row.status);
        // They only rise here; `protect` takes them back.
        sql.push(", protected_until = MAX(protected_until, ")
            .day(row.protected_until.0)
            .push("), protection = MAX(protection, ")
            .small(row.protection)
            .push(")");
        sql.push(" WHERE owner = ")
            .text(owner)
            .push(" AND id = ")
            .id(row.id);
        sql.push(" AND version = ").int(row.version - 1);
        if connection.execute(&sql)? != 1 {
            return Err(StoreError::disagrees(
                "record: no row at the expected version",
            ));
        }
    }
    Ok(())
}

/// A protection level that covers days of earlier beliefs covers those too: the coordinate of a read never lowers it.
pub(crate) fn raise_protection(
    connection: &mut Connection,
    owner: &str,
    raised: &[(Id, Period, i16)],
) -> Result<(), StoreError> {
    for (id, period, level) in raised {
        let mut sql = Sql::<()>::new("UPDATE state SET protection = ");
        sql.small(*level)
            .push(" WHERE owner = ")
            .text(owner)
            .push(" AND record_id = ")
            .id(*id);
        sql.push(" AND valid_from < ")
            .day(period.to())
            .push(" AND valid_to > ")
            .day(period.from());
        sql.push(" AND protection < ").small(*level);
        connection.execute(&sql)?;
    }
    Ok(())
}

/// Inserts rows that may be there already. The statements have powers of two of rows, so that few texts occur.
pub(crate) fn insert_missing(
    connection: &mut Connection,
    into: &str,
    rows: Vec<Vec<Bind<'_>>>,
) -> Result<(), StoreError> {
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let size = if rest.len() >= LIST {
            LIST
        } else {
            1 << rest.len().ilog2()
        };
        let Some((chunk, later)) = rest.split_at_checked(size) else {
            break;
        };
        let mut sql = Sql::<()>::new(&format!("INSERT INTO {into} VALUES "));
        sql.values(chunk.iter().cloned())
            .push(" ON CONFLICT DO NOTHING");
        connection.execute(&sql)?;
        rest = later;
    }
    Ok(())
}
