//! Writers at the same time: what one saw must still be so when the other has written.

use grunddata_model::Domain::{Organisation, Person, Role};
use grunddata_registry::{Code, IfMatch, Outcome};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;

on_both! {
    using stack;

    fn of_two_that_saw_the_same_version_one_writes(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let context = stack.system();
        let command = |name: &str| replace(Organisation, id, organisation(name, "unit"), "2026-02-01").if_match(IfMatch::Version(1));
        let (one, two) = stack.block_on(async {
            tokio::join!(
                stack.registry.write(&context, command("B"), None),
                stack.registry.write(&context, command("C"), None),
            )
        });
        let refused = [&one, &two].into_iter().filter_map(|outcome| outcome.as_ref().err()).collect::<Vec<_>>();
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].code, &refused[0].facts["version"]), (Code::PreconditionFailed, &json!(2)));
        assert_eq!(stack.states(id).len(), 2);
    }

    fn a_target_does_not_end_under_a_new_referrer(stack: Stack) {
        let context = stack.system();
        for _ in 0..5 {
            let unit = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
            let ronja = stack.id(create(Person, person("Ronja Ask"), "2026-01-01"));
            let (referrer, ended) = stack.block_on(async {
                tokio::join!(
                    stack.registry.write(&context, create(Role, role(ronja, unit), "2026-02-01"), None),
                    stack.registry.write(&context, end(Organisation, unit, "2026-06-01", None), None),
                )
            });
            let codes = (referrer.map_err(|refusal| refusal.code).err(), ended.map_err(|refusal| refusal.code).err());
            assert!(
                matches!(codes, (None, Some(Code::StillReferenced)) | (Some(Code::ReferenceNotCovered), None)),
                "{codes:?}"
            );
        }
    }

    fn many_writers_lose_nothing(stack: Stack) {
        let context = stack.system();
        let ids: Vec<_> = (0..8).map(|n| stack.id(create(Organisation, organisation(&n.to_string(), "unit"), "2026-01-01"))).collect();
        let outcomes = stack.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            for round in 0..10 {
                for id in &ids {
                    let (registry, context) = (stack.registry.clone(), context.clone());
                    let command = amend(Organisation, *id, json!({"costCentre": round.to_string()}), "2026-01-01", None);
                    running.spawn(async move { registry.write(&context, command, None).await });
                }
            }
            running.join_all().await
        });
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap().outcome == Outcome::Updated));
        for id in ids {
            let at = grunddata_registry::At::now(&context);
            let history = stack.registry.history(&context, None, id, &at, None, 100).unwrap();
            assert_eq!(history.items[0].version, 11);
            let mut instants: Vec<_> = history.items.iter().map(|item| item.recorded_at).collect();
            instants.dedup();
            assert_eq!(instants.len(), 11, "each at an instant of its own");
        }
    }

    fn a_token_holds_while_others_write(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let context = stack.system();
        stack.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            for number in 0..40 {
                let (registry, context) = (stack.registry.clone(), context.clone());
                running.spawn(async move {
                    let command = amend(Organisation, id, json!({"costCentre": number.to_string()}), "2026-01-01", None);
                    registry.write(&context, command, None).await.unwrap();
                    let read = |at: &grunddata_registry::At| match registry.get(&context, None, id, at, None).unwrap() {
                        grunddata_registry::Got::Found(found) => found,
                        grunddata_registry::Got::Merged { .. }
                        | grunddata_registry::Got::Moved { .. } => panic!(),
                    };
                    let first = read(&grunddata_registry::At::now(&context));
                    let token = first.as_of.token();
                    let parameters = grunddata_registry::CoordinateParameters { as_of: Some(&token), ..Default::default() };
                    let at = grunddata_registry::At::parse(&context, parameters).unwrap();
                    for _ in 0..3 {
                        assert_eq!(read(&at), first);
                        tokio::task::yield_now().await;
                    }
                });
            }
            running.join_all().await;
        });
    }
}
