//! Sources and their settings.

use grunddata_model::Domain;
use grunddata_registry::{Code, IfMatch, NewSource, Role, SourceSettings};
use grunddata_testing::on_both;

use super::feed::{full, plan_as, put, source, steward};
use crate::stack::{Stack, owner, stack};

on_both! {
    using stack;

    fn a_source_is_put_in_versions(stack: Stack) {
        let context = stack.as_actor("a", Role::Administrator);
        let mut new = NewSource {
            owner: owner("a"),
            key: "hr".to_owned(),
            settings: SourceSettings::new("HR", [Domain::Person]),
            if_match: None,
            reason: Some("ny".to_owned()),
        };
        let put = |new: &NewSource| stack.registry.put_source(&context, new.clone());
        assert_eq!(put(&new).unwrap().version, 1);
        assert_eq!(put(&new).unwrap_err().code, Code::PreconditionRequired);
        new.if_match = Some(IfMatch::Version(1));
        assert_eq!(put(&new).unwrap().version, 1, "what is as it was makes no version");
        new.settings.title = "Personal".to_owned();
        assert_eq!(put(&new).unwrap().version, 2);
        assert_eq!(put(&new).unwrap_err().code, Code::PreconditionFailed);
        let history = stack.registry.source_history(&context, &owner("a"), "hr").unwrap();
        let titles: Vec<&str> = history.iter().map(|source| source.settings.title.as_str()).collect();
        assert_eq!(titles, ["Personal", "HR"]);
        assert_eq!(stack.registry.sources(&context, &owner("a")).unwrap().len(), 1);
        assert_eq!(stack.registry.source(&context, &owner("a"), "x").unwrap_err().code, Code::UnknownSource);
        new.settings.domains.clear();
        new.if_match = Some(IfMatch::Any);
        assert_eq!(put(&new).unwrap_err().code, Code::InvalidSettings);
        new.key = "HR!".to_owned();
        assert_eq!(put(&new).unwrap_err().code, Code::InvalidText);
        let stewards = stack.registry.put_source(&steward(&stack), new).unwrap_err();
        assert_eq!(stewards.code, Code::Forbidden);
    }

    fn a_source_that_is_retired_takes_no_load(stack: Stack) {
        source(&stack, "hr", |settings| settings.retired = true);
        let refusal = plan_as(&stack, &steward(&stack), full("2026-03-01", Vec::new())).unwrap_err();
        assert_eq!(refusal.code, Code::SourceRetired);
        put(&stack, "hr", SourceSettings::new("HR", Domain::ALL)).unwrap();
        assert!(plan_as(&stack, &steward(&stack), full("2026-03-01", Vec::new())).is_ok());
    }
}
