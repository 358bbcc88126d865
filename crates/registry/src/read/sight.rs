//! Bodies as a reader may see them: without properties of classes that the reader lacks, of a record under protection
//! only what its form leaves, and without what leads to a record that is hidden from the reader.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use grunddata_information_model::{InformationModel, ModelError, PrivacyClass};
use grunddata_model::Domain;
use grunddata_store::{ALL_CLASSES, Form, RecordRow, Sight, StoreError};
use serde_json::Value;

/// What is left of another record than a person when the person that it identifies is shown by name only.
const IMPERSONAL: u8 = PrivacyClass::Public.bit() | PrivacyClass::Internal.bit();
/// What is left of a person: the name.
const NAME: &str = "name";

/// The classes of properties that are shown.
pub(crate) fn classes(domain: Domain, sight: Sight) -> u8 {
    match sight.form {
        Form::Hidden | Form::Placeholder => 0,
        Form::NameOnly if domain != Domain::Person => sight.classes & IMPERSONAL,
        Form::NameOnly | Form::Full => sight.classes,
    }
}

/// The stored body as it may be seen: the very bytes where nothing must be taken out.
pub(crate) fn visible<'a>(
    model: &InformationModel,
    row: &'a RecordRow,
    sight: Sight,
) -> Result<Cow<'a, str>, StoreError> {
    if matches!(sight.form, Form::Hidden | Form::Placeholder) {
        return Ok(Cow::Borrowed("{}"));
    }
    let allowed = classes(row.domain, sight);
    let mut body = if row.classes & !allowed & ALL_CLASSES == 0 {
        Cow::Borrowed(row.body.as_str())
    } else {
        let shown = model.withhold_from(row.domain, &row.model, &row.body, allowed);
        Cow::Owned(shown.map_err(|error| unreadable(row, &error))?)
    };
    if sight.form == Form::NameOnly && row.domain == Domain::Person {
        body = Cow::Owned(name_of(&body));
    }
    Ok(body)
}

/// A stored body that cannot be read is not shown at all.
pub(crate) fn unreadable(row: &RecordRow, error: &ModelError) -> StoreError {
    StoreError::Disagrees {
        what: format!("the body of {}: {error}", row.id),
    }
}

fn name_of(body: &str) -> String {
    let mut left = serde_json::Map::new();
    if let Ok(Value::Object(mut members)) = serde_json::from_str(body)
        && let Some(name) = members.remove(NAME)
    {
        left.insert(NAME.to_owned(), name);
    }
    Value::Object(left).to_string()
}

/// The names of what readers of certain classes are not shown, by domain and classes. They depend on the model alone.
#[derive(Debug)]
pub(crate) struct WithheldProperties(HashMap<(Domain, u8), Arc<[String]>>);

impl WithheldProperties {
    pub(crate) fn of(model: &InformationModel) -> Self {
        let all = Domain::ALL.into_iter().flat_map(|domain| {
            (0..=ALL_CLASSES).map(move |allowed| {
                let names = model.withheld_properties(domain, allowed);
                let names: Arc<[String]> = names.into_iter().map(str::to_owned).collect();
                ((domain, allowed), names)
            })
        });
        Self(all.collect())
    }

    pub(crate) fn get(&self, domain: Domain, sight: Sight) -> Arc<[String]> {
        let allowed = classes(domain, sight) & ALL_CLASSES;
        self.0.get(&(domain, allowed)).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_person_the_name_is_left() {
        assert_eq!(
            name_of(r#"{"birthDate":"2000","name":{"family":"A"}}"#),
            r#"{"name":{"family":"A"}}"#
        );
        assert_eq!(name_of(r#"{"birthDate":"2000"}"#), "{}");
    }
}
