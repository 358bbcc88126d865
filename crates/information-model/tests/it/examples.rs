//! Every example of every package gives exactly the errors that it says, and no others.

use std::collections::BTreeSet;

use grunddata_information_model::ExpectedError;

use crate::MODEL;

#[test]
fn every_example_gives_exactly_its_errors() {
    let model = &*MODEL;
    let mut wrong = Vec::new();
    let mut seen = (0, 0);
    for package in model.packages() {
        for ((domain, name), example) in package.examples() {
            let found = match model.validate(*domain, None, example.data.clone()) {
                Ok(validated) => model.check_codes(validated.dated_codes(), example.valid_at),
                Err(errors) => errors,
            };
            for error in &found {
                assert!(!error.message.is_empty() && !error.message_sv.is_empty());
            }
            let given: BTreeSet<ExpectedError> = found
                .iter()
                .map(|error| ExpectedError {
                    pointer: error.pointer.clone(),
                    code: error.code.to_owned(),
                })
                .collect();
            let expected: BTreeSet<ExpectedError> = example.errors.iter().cloned().collect();
            if given != expected || found.len() != example.errors.len() {
                wrong.push(format!(
                    "{}/{domain}/{name}: expected {expected:?}, found {found:#?}",
                    package.name()
                ));
            }
            if example.errors.is_empty() {
                seen.0 += 1;
            } else {
                seen.1 += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.0 >= 15 && seen.1 >= 50, "{seen:?}");
}
