//! Whatever the typed domains can say, the model accepts; and what it accepts stays as it is.

use grunddata_information_model::Resolved;
use grunddata_model::arbitrary::{self, Fill};
use grunddata_model::{Domain, Instant, RecordId};
use proptest::prelude::*;
use serde_json::Value;

use crate::MODEL;

/// The generated references lead nowhere, and name any scheme. A scheme that no record of the target domain can carry is
/// an error, so each is given one that all may carry.
fn name_by_source(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Object(key)) = members.get_mut("identifier") {
                key.insert("scheme".to_owned(), Value::from("source:hr"));
            }
            members.values_mut().for_each(name_by_source);
        }
        Value::Array(items) => items.iter_mut().for_each(name_by_source),
        _ => {}
    }
}

/// Validates, resolves every reference to an id, and checks that the result is a fixed point.
fn accept(domain: Domain, mut data: Value) -> Result<(), TestCaseError> {
    name_by_source(&mut data);
    let validated = MODEL
        .validate(domain, None, data)
        .map_err(|errors| TestCaseError::fail(format!("{errors:#?}")))?;
    let id = RecordId::mint(Instant::from_micros(1_700_000_000_000_000));
    let resolved = validated.resolve(&mut |_| Some(id)).unwrap();
    prop_assert_eq!(
        !resolved.links().is_empty(),
        !validated.references().is_empty()
    );

    let reloaded = MODEL
        .reload(domain, resolved.model(), resolved.body().clone())
        .unwrap();
    prop_assert_eq!(&reloaded, &resolved);
    same_extract(&reloaded, &resolved)?;

    let again = MODEL
        .validate(domain, None, resolved.value())
        .map_err(|errors| TestCaseError::fail(format!("the canonical body: {errors:#?}")))?;
    prop_assert!(again.is_resolved());
    let again = again.resolve(&mut |_| Some(id)).unwrap();
    prop_assert_eq!(again.body(), resolved.body());
    prop_assert_eq!(again.hash(), resolved.hash());
    same_extract(&again, &resolved)
}

fn same_extract(a: &Resolved, b: &Resolved) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.display(), b.display());
    prop_assert_eq!(a.kind(), b.kind());
    prop_assert_eq!(a.links(), b.links());
    prop_assert_eq!(a.identifiers(), b.identifiers());
    prop_assert_eq!(a.entries(), b.entries());
    prop_assert_eq!(a.dated_codes(), b.dated_codes());
    prop_assert_eq!(a.geometry_uses(), b.geometry_uses());
    prop_assert_eq!((a.protection(), a.classes()), (b.protection(), b.classes()));
    Ok(())
}

macro_rules! domain {
    ($name:ident, $domain:ident) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            #[test]
            fn $name(
                some in arbitrary::$name(Fill::Some),
                all in arbitrary::$name(Fill::All),
            ) {
                accept(Domain::$domain, serde_json::to_value(&some).unwrap())?;
                accept(Domain::$domain, serde_json::to_value(&all).unwrap())?;
            }
        }
    };
}

domain!(person, Person);
domain!(role, Role);
domain!(organisation, Organisation);
domain!(geography, Geography);
domain!(service, Service);

/// Any JSON at all.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof!["id", "", "temp:a", "source:hr", "2026-02-30"].prop_map(Value::from),
    ];
    let name = prop_oneof![
        "[a-z]{1,4}",
        prop_oneof![
            Just("name"),
            Just("kind"),
            Just("identifiers"),
            Just("scheme"),
            Just("value"),
            Just("parent"),
            Just("person"),
            Just("id"),
            Just("identifier"),
            Just("extensions"),
            Just("se-skola"),
            Just("geometry"),
            Just("relationships"),
            Just("addresses"),
            Just("geography"),
            Just("sv"),
        ]
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn anything_gives_an_answer_and_every_error_a_pointer_that_exists(data in json()) {
        for domain in Domain::ALL {
            let Err(errors) = MODEL.validate(domain, None, data.clone()) else { continue };
            prop_assert!(!errors.is_empty());
            for error in errors {
                prop_assert!(data.pointer(&error.pointer).is_some(), "{:?}", error);
                prop_assert!(!error.message.is_empty() && !error.message_sv.is_empty());
            }
        }
    }
}
