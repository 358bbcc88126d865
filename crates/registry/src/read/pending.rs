//! The references of an owner that lead nowhere yet, as the reader sees them.

use grunddata_model::{Domain, OwnerKey, Period, RecordId};
use serde::Serialize;
use serde_json::Value;

use crate::registry::refuse_store;
use crate::{At, Code, Context, Refusal, Registry};

/// A reference that leads nowhere yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingReference {
    /// The record that refers.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// JSON Pointer into its data.
    pub pointer: String,
    /// The identifier that is waited for: `{"scheme", "value"}`.
    pub identifier: Value,
    /// When it is referred to.
    #[serde(flatten)]
    pub period: Period,
}

/// Some of them.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingReferences {
    /// By record.
    pub items: Vec<PendingReference>,
    /// The record after which there are more.
    pub next: Option<RecordId>,
}

impl Registry {
    /// References of an owner that lead nowhere yet, as believed now: of so many records, after one. What the reader is not
    /// shown of a record is not told here either.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not read the owner as a whole; [`Code::UnknownOwner`], [`Code::LimitOutOfRange`].
    pub fn pending_references(
        &self,
        context: &Context,
        owner: &OwnerKey,
        after: Option<RecordId>,
        limit: u32,
    ) -> Result<PendingReferences, Refusal> {
        self.check_limit(limit)?;
        if !context.actor.reads_changes_of(owner) {
            return Err(Refusal::forbidden_owner(owner, "read all of"));
        }
        let at = At::now(context);
        let mut found = PendingReferences {
            items: Vec::new(),
            next: None,
        };
        let (mut after, mut shown) = (after, 0);
        loop {
            let records = self
                .inner
                .store
                .read(|reader| reader.waiting_records(owner, after, i64::from(limit) + 1))
                .map_err(refuse_store)?;
            let more = records.len() > limit as usize;
            for (id, domain) in records.into_iter().take(limit as usize) {
                // It goes on after what was shown: where something is hidden is not told.
                if shown == limit {
                    return Ok(found);
                }
                after = Some(id);
                let states = match self.timeline(context, Some(domain), id, &at) {
                    Ok(view) => view.items,
                    Err(refusal) if is_hidden(refusal.code) => continue,
                    Err(refusal) => return Err(refusal),
                };
                let before = found.items.len();
                for state in states {
                    let data: Value =
                        serde_json::from_str(&state.data).map_err(|_| Refusal::internal())?;
                    gather(&data, String::new(), &mut |pointer, identifier| {
                        found.items.push(PendingReference {
                            id,
                            domain,
                            pointer,
                            identifier: identifier.clone(),
                            period: state.period,
                        });
                    });
                }
                if found.items.len() > before {
                    shown += 1;
                    found.next = Some(id);
                }
            }
            if !more {
                found.next = None;
                return Ok(found);
            }
        }
    }
}

fn is_hidden(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound | Code::NotKnownThen | Code::Erased | Code::Retracted | Code::Forbidden
    )
}

/// Every reference by identifier in stored data: of those that lead somewhere the id alone is stored.
fn gather<'a>(value: &'a Value, pointer: String, each: &mut dyn FnMut(String, &'a Value)) {
    match value {
        Value::Object(members) => {
            let is_reference = !members.contains_key("id")
                && members
                    .keys()
                    .all(|name| matches!(name.as_str(), "identifier" | "display"));
            if let Some(identifier) = members.get("identifier").filter(|_| is_reference) {
                return each(pointer, identifier);
            }
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                gather(member, format!("{pointer}/{name}"), each);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                gather(item, format!("{pointer}/{index}"), each);
            }
        }
        _ => {}
    }
}
