//! From rows to what is shown: names of visible targets, geometry, chosen fields.

use std::collections::BTreeMap;

use grunddata_model::RecordId;
use grunddata_store::{
    ChangeKind as StoredKind, Coordinate, Reader, RecordRow, StoreError, Visibility,
};

use super::splice::{self, Fields};
use super::view::Record;
use crate::{ChangeKind, Origin};

/// How much of a record is shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape<'a> {
    /// Only these properties.
    pub(crate) fields: Option<&'a Fields>,
    /// Whether geometry comes along where the fields do not say so.
    pub(crate) geometry: bool,
}

/// Makes the rows ready to be shown.
pub(crate) fn show(
    reader: &mut Reader<'_>,
    rows: Vec<RecordRow>,
    coordinate: &Coordinate,
    visibility: &Visibility,
    shape: Shape<'_>,
) -> Result<Vec<Record>, StoreError> {
    let mut targets: Vec<RecordId> = rows
        .iter()
        .filter(|row| row.has_links)
        .flat_map(|row| splice::references(&row.body))
        .collect();
    targets.sort_unstable();
    targets.dedup();
    let displays = if targets.is_empty() {
        BTreeMap::new()
    } else {
        reader
            .displays(&targets, coordinate, visibility)?
            .into_iter()
            .collect()
    };
    rows.into_iter()
        .map(|row| record(reader, row, &displays, shape))
        .collect()
}

/// One row with the names that were found.
pub(crate) fn record(
    reader: &mut Reader<'_>,
    mut row: RecordRow,
    displays: &BTreeMap<RecordId, String>,
    shape: Shape<'_>,
) -> Result<Record, StoreError> {
    let body = std::mem::take(&mut row.body);
    let data = data(reader, &row, body, displays, shape)?;
    Ok(Record {
        id: row.id,
        domain: row.domain,
        owner: row.owner,
        controller: row.controller,
        origin: origin(row.origin.as_deref()),
        version: row.version,
        period: row.period,
        recorded_at: row.recorded_at,
        change_kind: change_kind(row.change_kind),
        model: row.model.into(),
        display: row.display,
        data,
        hash: row.hash,
    })
}

/// The body as it is shown.
pub(crate) fn data(
    reader: &mut Reader<'_>,
    row: &RecordRow,
    mut body: String,
    displays: &BTreeMap<RecordId, String>,
    shape: Shape<'_>,
) -> Result<String, StoreError> {
    if let Some(fields) = shape.fields
        && let Some(chosen) = fields.of_body(&body)
    {
        body = chosen;
    }
    if shape.fields.is_some() || shape.geometry {
        let hashes: Vec<String> = splice::geometries(&body)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if !hashes.is_empty() {
            let bodies = reader
                .geometries(&row.owner, &hashes)?
                .into_iter()
                .collect();
            body = splice::with_geometries(&body, &bodies);
        }
    } else if body.contains(splice::GEOMETRY) {
        body = splice::without_geometries(&body);
    }
    if row.has_links && !displays.is_empty() {
        body = splice::with_displays(&body, displays);
    }
    Ok(body)
}

/// The origin as it was stored; what cannot be read is somebody else's.
pub(crate) fn origin(text: Option<&str>) -> Origin {
    match text {
        None => Origin::Own,
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Origin::Copy {
            of: "unknown".to_owned(),
            copied: None,
        }),
    }
}

pub(crate) fn change_kind(kind: StoredKind) -> ChangeKind {
    match kind {
        StoredKind::Change => ChangeKind::Change,
        StoredKind::Correction => ChangeKind::Correction,
    }
}
