//! From rows to what is shown: names of visible targets, geometry, chosen fields.

use std::borrow::Cow;
use std::collections::BTreeSet;

use grunddata_information_model::{InformationModel, PrivacyClass};
use grunddata_model::{Instant, Period, RecordId};
use grunddata_store::{
    ChangeKind as StoredKind, Coordinate, Form, FormerHead, Reader, RecordRow, Seen, Sight,
    StoreError, Targets, Visibility,
};
use sha2::{Digest as _, Sha256};

use super::sight;
use super::splice::{self, Fields};
use super::view::{Offers, Record};
use crate::transfers::is_copy;
use crate::{ChangeKind, Context, Disclosed, Origin, Registry};

/// How much of a record is shown.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) registry: &'a Registry,
    /// To whom, and where it is noted what is shown.
    pub(crate) context: &'a Context,
    /// Only these properties.
    pub(crate) fields: Option<&'a Fields>,
    /// Whether geometry comes along where the fields do not say so.
    pub(crate) geometry: bool,
}

impl<'a> Shape<'a> {
    /// All properties but geometry.
    pub(crate) fn plain(registry: &'a Registry, context: &'a Context) -> Self {
        Self {
            registry,
            context,
            fields: None,
            geometry: false,
        }
    }
}

/// Makes the rows ready to be shown. One that is not for this reader is left out, whoever found it.
pub(crate) fn show(
    reader: &mut Reader<'_>,
    rows: Vec<RecordRow>,
    coordinate: &Coordinate,
    visibility: &Visibility,
    shape: Shape<'_>,
) -> Result<Vec<Record>, StoreError> {
    let today = reader.today();
    let mut seen = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(sight) = visibility.sight(&row.seen(today)) {
            seen.push(SeenRow::of(&shape.registry.inner.model, row, sight)?);
        }
    }
    let targets = targets(reader, &seen, coordinate, visibility)?;
    note_names(&shape.context.disclosed, &targets);
    let ids: Vec<RecordId> = seen.iter().map(|row| row.row.id).collect();
    let former = reader.former_heads(&ids, &coordinate.known)?;
    let records = seen.into_iter();
    records
        .map(|row| {
            let record = record(reader, row, &targets, shape)?;
            let former = former.get(&record.id);
            Ok(as_then(record, former))
        })
        .collect()
}

/// With who was responsible for it, and where it came from, at the coordinate. What the reader may do, and whether it sees the
/// record at all, is decided by what is so now.
pub(crate) fn as_then(mut record: Record, former: Option<&FormerHead>) -> Record {
    if let Some(former) = former.filter(|_| record.form >= Form::NameOnly) {
        record.controller = former.controller;
        record.origin = origin(former.origin.as_deref());
    }
    record
}

/// A row with what the reader sees of it.
pub(crate) struct SeenRow {
    pub(crate) row: RecordRow,
    pub(crate) sight: Sight,
    /// The body without what is withheld, where anything is.
    altered: Option<String>,
}

impl SeenRow {
    /// The row as it is seen.
    pub(crate) fn of(
        model: &InformationModel,
        row: RecordRow,
        sight: Sight,
    ) -> Result<Self, StoreError> {
        let altered = match sight::visible(model, &row, sight)? {
            Cow::Borrowed(body) if std::ptr::eq(body, row.body.as_str()) => None,
            other => Some(other.into_owned()),
        };
        Ok(Self {
            row,
            sight,
            altered,
        })
    }

    /// The body without what is withheld.
    pub(crate) fn body(&self) -> &str {
        self.altered.as_deref().unwrap_or(&self.row.body)
    }

    /// The records that it refers to, as far as the reader is shown that it does.
    pub(crate) fn references(&self) -> Vec<RecordId> {
        if self.row.has_links {
            splice::references(self.body())
        } else {
            Vec::new()
        }
    }
}

/// What the reader is told of the records that the rows refer to.
pub(crate) fn targets(
    reader: &mut Reader<'_>,
    rows: &[SeenRow],
    coordinate: &Coordinate,
    visibility: &Visibility,
) -> Result<Targets, StoreError> {
    let mut ids: Vec<RecordId> = rows.iter().flat_map(SeenRow::references).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Targets::default());
    }
    reader.targets(&ids, coordinate, visibility)
}

/// The body without the references to records that are hidden from the reader.
pub(crate) fn without_hidden<'a>(
    model: &InformationModel,
    row: &RecordRow,
    body: Cow<'a, str>,
    hidden: &BTreeSet<RecordId>,
) -> Result<Cow<'a, str>, StoreError> {
    if !row.has_links || hidden.is_empty() {
        return Ok(body);
    }
    let shown = model.without_references(row.domain, &row.model, &body, hidden);
    shown
        .map(Cow::Owned)
        .map_err(|error| sight::unreadable(row, &error))
}

/// One row with what was found of its targets.
pub(crate) fn record(
    reader: &mut Reader<'_>,
    seen: SeenRow,
    targets: &Targets,
    shape: Shape<'_>,
) -> Result<Record, StoreError> {
    let (data, hash) = data(reader, &seen, targets, shape)?;
    let SeenRow { row, sight, .. } = seen;
    shape.context.disclosed.note(
        &row.owner,
        row.id,
        row.classes & sight::classes(row.domain, sight),
    );
    let withheld = shape.registry.inner.withheld.get(row.domain, sight);
    if sight.form < Form::NameOnly {
        // That there is a record, and nothing more: who answers for it, since when and how often it was written would tell
        // of the person.
        return Ok(Record {
            id: row.id,
            domain: row.domain,
            owner: row.owner,
            controller: None,
            origin: Origin::Own,
            version: 0,
            period: Period::ALWAYS,
            recorded_at: Instant::from_micros(0),
            change_kind: ChangeKind::Change,
            model: row.model.into(),
            display: None,
            data,
            hash,
            form: sight.form,
            withheld,
            offers: Offers::default(),
            copied: None,
        });
    }
    let copies = shape.registry.copies_with(reader)?;
    let copied = copies.get(&row.owner).cloned();
    let offers = if sight.form == Form::Full {
        offers(shape, &row)
    } else {
        Offers::default()
    };
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
        hash,
        form: sight.form,
        withheld,
        offers,
        copied,
    })
}

/// What the reader may do with a record that it sees whole.
fn offers(shape: Shape<'_>, row: &RecordRow) -> Offers {
    let actor = &shape.context.actor;
    if !actor.may_change(&row.owner) || (is_copy(row.origin.as_deref()) && !actor.feeds_copies) {
        return Offers::default();
    }
    // What cannot be found out is not offered.
    let Ok(rights) = shape.registry.rights(shape.context) else {
        return Offers::default();
    };
    let seen = Seen {
        owner: row.owner.as_str(),
        controller: row.controller,
        domain: row.domain,
        level: 0,
    };
    Offers {
        write: rights.writes.sight(&seen).is_some(),
        end: rights.ends.sight(&seen).is_some(),
    }
}

/// The body as it is shown, and the hash of what it was made of.
fn data(
    reader: &mut Reader<'_>,
    seen: &SeenRow,
    targets: &Targets,
    shape: Shape<'_>,
) -> Result<(String, [u8; 32]), StoreError> {
    let model = &shape.registry.inner.model;
    let row = &seen.row;
    let body = without_hidden(model, row, Cow::Borrowed(seen.body()), &targets.hidden)?;
    let hash = match &body {
        Cow::Borrowed(_) if seen.altered.is_none() => row.hash,
        other => Sha256::digest(other.as_bytes()).into(),
    };
    let mut body = body.into_owned();
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
    if row.has_links && !targets.displays.is_empty() {
        body = splice::with_displays(&body, &targets.displays);
    }
    Ok((body, hash))
}

/// The names of persons are personal data wherever they stand.
pub(crate) fn note_names(disclosed: &Disclosed, targets: &Targets) {
    for (owner, id) in &targets.persons {
        disclosed.note(owner, *id, PrivacyClass::Personal.bit());
    }
}

/// The origin as it was stored; what cannot be read is somebody else's.
pub(crate) fn origin(text: Option<&str>) -> Origin {
    match text {
        None => Origin::Own,
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Origin::Copy {
            of: "unknown".to_owned(),
            copied: None,
            received_at: None,
        }),
    }
}

pub(crate) fn change_kind(kind: StoredKind) -> ChangeKind {
    match kind {
        StoredKind::Change => ChangeKind::Change,
        StoredKind::Correction => ChangeKind::Correction,
    }
}
