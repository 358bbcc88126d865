//! What a source says of a record: as it comes in, and as it is kept.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use grunddata_information_model::{InformationModel, canonical_json};
use grunddata_model::{Domain, Period, RecordId, SchemeCode, ValidFrom, ValidTo};
use grunddata_store::KeyHash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What names a record in a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AssertionKey {
    /// The source's own key: an identifier of the scheme `source:KEY`. The keys of a source share one space, whatever
    /// record of the mapping they belong to.
    Source(String),
    /// An identifier of the world.
    Identifier {
        /// The code of the scheme.
        scheme: String,
        /// The value; it is normalised by its scheme when it is looked up.
        value: String,
    },
    /// The id that the record has in the registry, or that it gets: of sources that know it.
    Id(RecordId),
}

/// A reference in the data of an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertedReference {
    /// JSON Pointer into the data, where `{"identifier": {"scheme", "value"}}` stands.
    pub pointer: String,
    /// The domain of the target.
    pub domain: Domain,
    /// What names the target.
    pub key: AssertionKey,
}

/// What a source says of one record: what one row, or a part of one, becomes. Nothing is validated yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// The row of the file, as somebody sees it who has the file open; 0 = none.
    pub file_row: u64,
    /// The name of the record in the mapping.
    pub record: String,
    /// Its domain.
    pub domain: Domain,
    /// What names it.
    pub key: AssertionKey,
    /// Whether the source says that it is gone; data and period do not count then.
    pub removed: bool,
    /// The data, as the model writes them; an object. A part of them is enough where the record is there already.
    pub data: Value,
    /// The first day; `None` = the source does not say.
    pub valid_from: Option<ValidFrom>,
    /// The exclusive end; `None` = the source does not say.
    pub valid_to: Option<ValidTo>,
    /// The references in the data.
    pub references: Vec<AssertedReference>,
}

fn sixteen(hash: Sha256) -> [u8; 16] {
    let digest: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(digest) {
        *to = from;
    }
    short
}

/// The hash of texts, each with its length.
pub(super) fn hash_of(parts: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    sixteen(hash)
}

/// A value as its scheme writes it; of a scheme that is not known as it is.
pub(super) fn normal(model: &InformationModel, scheme: &str, value: &str) -> String {
    match model.scheme(scheme) {
        Some(known) => known.normalise(value),
        None => value.trim().to_owned(),
    }
}

impl AssertionKey {
    /// The identifier by which the record is looked up.
    pub(super) fn identifier(
        &self,
        model: &InformationModel,
        source: &str,
    ) -> Option<(SchemeCode, String)> {
        let (scheme, value) = match self {
            Self::Source(key) => (format!("source:{source}"), key),
            Self::Identifier { scheme, value } => (scheme.clone(), value),
            Self::Id(_) => return None,
        };
        let code = SchemeCode::new(&scheme).ok()?;
        Some((code, normal(model, &scheme, value)))
    }

    /// What tells the key apart from the others of its source.
    pub(super) fn hash(&self, model: &InformationModel, record: &str) -> KeyHash {
        match self {
            Self::Source(key) => hash_of(&["source", key.trim()]),
            Self::Identifier { scheme, value } => {
                hash_of(&["identifier", record, scheme, &normal(model, scheme, value)])
            }
            Self::Id(id) => hash_of(&["id", &id.to_string()]),
        }
    }

    /// The key that stands as a reference in data, read back.
    pub(super) fn of_reference(value: &Value, source: &str) -> Option<Self> {
        let identifier = value.get("identifier")?;
        let scheme = identifier.get("scheme")?.as_str()?;
        let value = identifier.get("value")?.as_str()?.to_owned();
        let own = scheme.strip_prefix("source:") == Some(source);
        Some(if own {
            Self::Source(value)
        } else {
            Self::Identifier {
                scheme: scheme.to_owned(),
                value,
            }
        })
    }
}

/// What a source says of a record for one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Piece {
    /// The first day; absent = the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<ValidFrom>,
    /// The exclusive end; absent = the source does not say.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "grunddata_model::present"
    )]
    pub(super) to: Option<ValidTo>,
    /// As the source says it, without the values that are left out.
    pub(super) data: Value,
    /// Where references stand in it, and the records that they led to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) targets: BTreeMap<String, Option<RecordId>>,
}

impl Piece {
    /// Of an assertion.
    pub(super) fn of(assertion: Assertion) -> Self {
        Self {
            from: assertion.valid_from,
            to: assertion.valid_to,
            targets: assertion
                .references
                .into_iter()
                .map(|reference| (reference.pointer, None))
                .collect(),
            data: assertion.data,
        }
    }

    /// What tells it apart: data and period.
    pub(super) fn hash(&self) -> [u8; 16] {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let bound = |value: Option<Value>| value.map_or("-".to_owned(), text);
        let from = self.from.and_then(|from| serde_json::to_value(from).ok());
        let to = self.to.and_then(|to| serde_json::to_value(to).ok());
        hash_of(&[&bound(from), &bound(to), &canonical_json(&self.data)])
    }

    /// The data with every reference as an id; one that leads nowhere stays as it is.
    pub(super) fn resolved(&self) -> Value {
        let mut data = self.data.clone();
        for (pointer, target) in &self.targets {
            if let (Some(id), Some(place)) = (target, data.pointer_mut(pointer)) {
                *place = json!({"id": id.to_string()});
            }
        }
        data
    }

    /// Takes a value out: the member that the pointer leads to, or the item of a list that holds it. What was taken, by its
    /// pointer; `None` where there is nothing.
    pub(super) fn drop_at(&mut self, pointer: &str) -> Option<String> {
        let mut place = String::new();
        let mut list: Option<(String, usize)> = None;
        for token in pointer.split('/').skip(1) {
            let inside_list = self.data.pointer(&place).is_some_and(Value::is_array);
            let outer = place.clone();
            place.push('/');
            place.push_str(token);
            if inside_list {
                list = Some((outer, token.parse().ok()?));
                break;
            }
        }
        if place.is_empty() || !super::leaves::remove(&mut self.data, &place) {
            return None;
        }
        let moved = std::mem::take(&mut self.targets);
        self.targets = moved
            .into_iter()
            .filter_map(|(pointer, target)| {
                if super::settings::is_within(&pointer, &place) {
                    return None;
                }
                let Some((outer, index)) = &list else {
                    return Some((pointer, target));
                };
                // The items behind it move up.
                let behind = pointer.strip_prefix(outer.as_str()).and_then(|rest| {
                    let rest = rest.strip_prefix('/')?;
                    let (number, rest) = rest.split_once('/').unwrap_or((rest, ""));
                    let number: usize = number.parse().ok()?;
                    (number > *index).then(|| format!("{outer}/{}/{rest}", number - 1))
                });
                Some((behind.unwrap_or(pointer), target))
            })
            .collect();
        Some(place)
    }

    pub(super) fn start(&self) -> Option<NaiveDate> {
        self.from.map(ValidFrom::start)
    }

    pub(super) fn end(&self) -> Option<NaiveDate> {
        self.to.map(ValidTo::end)
    }
}

/// What tells apart what is said in one or several pieces.
pub(super) fn hash_of_pieces(pieces: &[Piece]) -> [u8; 16] {
    let mut hashes: Vec<[u8; 16]> = pieces.iter().map(Piece::hash).collect();
    if let [only] = hashes.as_slice() {
        return *only;
    }
    hashes.sort_unstable();
    let mut hash = Sha256::new();
    for piece in hashes {
        hash.update(piece);
    }
    sixteen(hash)
}

/// Sorts pieces by time. Whether each but the last says from when until when it holds, and no two meet on a day.
pub(super) fn in_order(pieces: &mut [Piece]) -> bool {
    if pieces.len() < 2 {
        return true;
    }
    pieces.sort_by_key(|piece| piece.start());
    pieces.iter().all(|piece| piece.from.is_some())
        && pieces.iter().zip(pieces.iter().skip(1)).all(|(one, next)| {
            let (end, start) = (one.end().unwrap_or(Period::OPEN), next.start());
            start.is_some_and(|start| end <= start)
        })
}

/// What a source last said of a record, as it is kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    /// By time.
    pub(super) pieces: Vec<Piece>,
    /// The day from which it says nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) absent_from: Option<NaiveDate>,
    /// The load that brought the present value of a property, where it is not the first that spoke of the record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) origins: BTreeMap<String, Uuid>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(from: Option<&str>, to: Option<&str>) -> Piece {
        Piece {
            from: from.map(|text| text.parse().unwrap()),
            to: to.map(|text| text.parse().unwrap()),
            data: json!({"a": 1}),
            targets: BTreeMap::new(),
        }
    }

    #[test]
    fn pieces_are_told_apart_by_data_and_period() {
        let one = piece(Some("2026-01-01"), None);
        assert_ne!(one.hash(), piece(None, None).hash());
        assert_ne!(one.hash(), piece(Some("2026-01-01"), Some("open")).hash());
        let two = piece(Some("2027-01-01"), None);
        assert_eq!(
            hash_of_pieces(&[one.clone(), two.clone()]),
            hash_of_pieces(&[two, one])
        );
    }

    #[test]
    fn pieces_of_one_timeline_say_when_they_hold() {
        let mut good = [
            piece(Some("2027-01-01"), None),
            piece(Some("2026-01-01"), Some("2027-01-01")),
        ];
        assert!(in_order(&mut good));
        assert_eq!(
            good.first().unwrap().to,
            Some("2027-01-01".parse().unwrap())
        );
        assert!(!in_order(&mut [
            piece(Some("2026-01-01"), None),
            piece(Some("2027-01-01"), None)
        ]));
        assert!(!in_order(&mut [
            piece(None, None),
            piece(Some("2027-01-01"), None)
        ]));
        assert!(in_order(&mut [piece(None, None)]));
    }

    #[test]
    fn keys_are_told_apart() {
        let model = InformationModel::embedded().unwrap();
        let source = AssertionKey::Source("7".to_owned());
        assert_eq!(source.hash(&model, "person"), source.hash(&model, "role"));
        let number = |value: &str| AssertionKey::Identifier {
            scheme: "se-personal-identity-number".to_owned(),
            value: value.to_owned(),
        };
        assert_eq!(
            number("19900101-2385").hash(&model, "person"),
            number("199001012385").hash(&model, "person")
        );
        assert_ne!(
            number("199001012385").hash(&model, "person"),
            number("199001012385").hash(&model, "guardian")
        );
    }

    #[test]
    fn a_value_is_left_out_with_its_item() {
        let id = RecordId(Uuid::from_u128(7));
        let mut said = piece(None, None);
        said.data = json!({"list": [{"v": 1}, {"v": 2}, {"p": {"identifier": {}}}], "name": {"a": 1, "b": 2}});
        said.targets = BTreeMap::from([("/list/2/p".to_owned(), Some(id))]);
        assert_eq!(said.drop_at("/list/1/v/x"), Some("/list/1".to_owned()));
        assert_eq!(said.targets.get("/list/1/p"), Some(&Some(id)));
        assert_eq!(said.drop_at("/name/b"), Some("/name/b".to_owned()));
        assert_eq!(said.drop_at("/nothing"), None);
        assert_eq!(
            said.resolved(),
            json!({"list": [{"v": 1}, {"p": {"id": id.to_string()}}], "name": {"a": 1}})
        );
    }

    #[test]
    fn what_is_said_is_kept_as_it_was() {
        let said = Said {
            pieces: vec![piece(Some("unknown"), Some("open")), piece(None, None)],
            absent_from: Some("2026-01-01".parse().unwrap()),
            origins: BTreeMap::new(),
        };
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(serde_json::from_str::<Said>(&text).unwrap(), said);
    }
}
