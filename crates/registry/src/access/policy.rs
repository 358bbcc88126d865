//! What an owner shows of persons under protection to readers without the grant: by level and by how near the reader is.

use std::collections::BTreeMap;

use grunddata_information_model::InformationModel;
use grunddata_store::{Form, Forms, LEVELS};
use serde::{Deserialize, Serialize};

use crate::{Code, Refusal};

/// The code list of the levels; its `rank` is what is stored.
const LEVEL_LIST: &str = "protection-level";

/// How near a reader is to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Relation {
    /// The grant names the record's controller.
    SameController,
    /// The grant names the owner.
    SameOwner,
    /// Anybody else.
    Outside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenForm {
    Hidden,
    Placeholder,
    NameOnly,
    Full,
}

impl From<WrittenForm> for Form {
    fn from(form: WrittenForm) -> Self {
        match form {
            WrittenForm::Hidden => Self::Hidden,
            WrittenForm::Placeholder => Self::Placeholder,
            WrittenForm::NameOnly => Self::NameOnly,
            WrittenForm::Full => Self::Full,
        }
    }
}

impl From<Form> for WrittenForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Hidden => Self::Hidden,
            Form::Placeholder => Self::Placeholder,
            Form::NameOnly => Self::NameOnly,
            Form::Full => Self::Full,
        }
    }
}

/// As it is written: `{"confidentiality-marking": {"sameController": "name-only"}}`. What is not said is as by default.
type Written = BTreeMap<String, BTreeMap<Relation, WrittenForm>>;

/// The forms of each relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtectionPolicy {
    same_controller: Forms,
    same_owner: Forms,
    outside: Forms,
}

impl Default for ProtectionPolicy {
    /// Who works for the record's own controller sees the name (a school has the pupil in its class list), others of the
    /// owner that there is somebody, and the outside world nothing.
    fn default() -> Self {
        Self {
            same_controller: Forms::of([Form::NameOnly; LEVELS - 1]),
            same_owner: Forms::of([Form::Placeholder; LEVELS - 1]),
            outside: Forms::HIDDEN,
        }
    }
}

impl ProtectionPolicy {
    /// The forms of a relation.
    #[must_use]
    pub fn forms(&self, relation: Relation) -> Forms {
        match relation {
            Relation::SameController => self.same_controller,
            Relation::SameOwner => self.same_owner,
            Relation::Outside => self.outside,
        }
    }

    /// Reads a policy as a client writes it.
    ///
    /// # Errors
    /// [`Code::InvalidParameter`] for levels, relations and forms that there are not.
    pub fn read(model: &InformationModel, value: &serde_json::Value) -> Result<Self, Refusal> {
        let written: Written = serde_json::from_value(value.clone()).map_err(|error| {
            invalid(format!(
                "protection is an object of levels, each with sameController, sameOwner or outside as hidden, placeholder, name-only or full: {error}."
            ))
        })?;
        let levels = levels(model);
        let mut policy = Self::default();
        for (level, forms) in written {
            let Some(rank) = levels.iter().position(|known| *known == level) else {
                return Err(invalid(format!(
                    "protection: there is no level {level:?}; the levels are {}.",
                    levels.join(", ")
                )));
            };
            for (relation, form) in forms {
                let of_relation = match relation {
                    Relation::SameController => &mut policy.same_controller,
                    Relation::SameOwner => &mut policy.same_owner,
                    Relation::Outside => &mut policy.outside,
                };
                *of_relation = of_relation.with(rank + 1, form.into());
            }
        }
        Ok(policy)
    }

    /// The policy as it is stored and shown: every level and relation.
    #[must_use]
    pub fn written(&self, model: &InformationModel) -> serde_json::Value {
        let relations = [
            Relation::SameController,
            Relation::SameOwner,
            Relation::Outside,
        ];
        let written: Written = (1_u8..)
            .zip(levels(model))
            .map(|(rank, level)| {
                let forms = relations
                    .into_iter()
                    .map(|relation| (relation, self.forms(relation).at(rank).into()));
                (level.to_owned(), forms.collect())
            })
            .collect();
        // Plain data: cannot fail.
        serde_json::to_value(written).unwrap_or_default()
    }

    /// The policy of an owner as it was stored; what cannot be read any more is taken for the default.
    pub(crate) fn stored(model: &InformationModel, text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        serde_json::from_str(text)
            .ok()
            .and_then(|value| Self::read(model, &value).ok())
            .unwrap_or_default()
    }
}

/// The codes of the levels 1 and up, by rank.
fn levels(model: &InformationModel) -> Vec<&str> {
    let mut levels: Vec<(u8, &str)> = model
        .code_list(LEVEL_LIST)
        .into_iter()
        .flat_map(|list| list.codes())
        .filter_map(|code| {
            let rank: u8 = code.further.get("rank")?.parse().ok()?;
            (rank > 0).then_some((rank, &*code.code))
        })
        .collect();
    levels.sort_unstable();
    levels.truncate(LEVELS - 1);
    levels.into_iter().map(|(_, code)| code).collect()
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(Code::InvalidParameter, detail).fact(crate::fact::PARAMETER, "protection")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_read_over_the_default_and_written_whole() {
        let model = InformationModel::embedded().unwrap();
        let policy = ProtectionPolicy::read(
            &model,
            &json!({"confidentiality-marking": {"sameOwner": "hidden", "outside": "placeholder"}}),
        )
        .unwrap();
        assert_eq!(policy.forms(Relation::SameOwner).at(2), Form::Hidden);
        assert_eq!(policy.forms(Relation::SameOwner).at(1), Form::Placeholder);
        assert_eq!(policy.forms(Relation::Outside).at(2), Form::Placeholder);
        assert_eq!(policy.forms(Relation::Outside).at(3), Form::Hidden);
        let written = policy.written(&model);
        assert_eq!(
            written["confidentiality-marking"],
            json!({"sameController": "name-only", "sameOwner": "hidden", "outside": "placeholder"})
        );
        assert_eq!(ProtectionPolicy::read(&model, &written).unwrap(), policy);
        assert_eq!(
            ProtectionPolicy::stored(&model, &written.to_string()),
            policy
        );
        for bad in [
            json!([]),
            json!({"none": {"outside": "full"}}),
            json!({"x": {}}),
            json!({"local-protection": {"outside": "some"}}),
        ] {
            assert!(ProtectionPolicy::read(&model, &bad).is_err(), "{bad}");
        }
    }
}
