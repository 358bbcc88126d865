//! Identifiers are unique within the owner as their scheme says, tested at the end of the job on what is staged, so that
//! two records can swap theirs in one transaction.

use std::collections::BTreeMap;

use grunddata_information_model::{Resolved, Uniqueness};
use grunddata_model::{Period, RecordId, SchemeCode, Timeline};

use super::subtract;
use crate::read::class_of;
use crate::write::apply::{Failure, Run};
use crate::{Code, Fault, fact};

type Key = (SchemeCode, String, Option<String>);

/// When each identifier effectively holds: the state's period cut by the identifier's own.
fn claims(timeline: &Timeline<Resolved>) -> BTreeMap<Key, Vec<Period>> {
    let mut claims: BTreeMap<Key, Vec<Period>> = BTreeMap::new();
    for state in timeline.states() {
        for identifier in state.value.identifiers() {
            let from = identifier.valid_from.unwrap_or(Period::BEGINNING);
            let to = identifier.valid_to.unwrap_or(Period::OPEN);
            let effective = Period::new(from, to)
                .ok()
                .and_then(|own| own.intersect(&state.period));
            if let Some(effective) = effective {
                let key = (
                    identifier.scheme.clone(),
                    identifier.value.clone(),
                    identifier.issuer.clone(),
                );
                claims.entry(key).or_default().push(effective);
            }
        }
    }
    claims
}

pub(super) fn check(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    for id in run.order.clone() {
        let Some(touched) = run.touched.get(&id) else {
            continue;
        };
        let command = touched.command;
        let before = claims(&touched.before);
        let after = claims(&touched.after);
        for (key, periods) in after {
            let (scheme, value, issuer) = &key;
            let Some(uniqueness) = run
                .job
                .context
                .model
                .scheme(scheme.as_str())
                .map(|scheme| scheme.uniqueness())
            else {
                continue;
            };
            let known = before.get(&key).map(Vec::as_slice).unwrap_or_default();
            let new: Vec<Period> = match uniqueness {
                Uniqueness::None => continue,
                // Held for ever: once tested, a longer period brings nothing new.
                Uniqueness::Always if !known.is_empty() => continue,
                Uniqueness::Always => periods,
                Uniqueness::AtDate | Uniqueness::PerIssuer => periods
                    .into_iter()
                    .flat_map(|period| subtract(period, known))
                    .collect(),
            };
            if new.is_empty() {
                continue;
            }
            let other = run.tx.claims(scheme, value)?.into_iter().find(|claim| {
                claim.record != id
                    && match uniqueness {
                        Uniqueness::Always => true,
                        Uniqueness::PerIssuer => {
                            claim.issuer == *issuer
                                && new.iter().any(|period| period.overlaps(&claim.period))
                        }
                        _ => new.iter().any(|period| period.overlaps(&claim.period)),
                    }
            });
            if let Some(other) = other {
                // That the number is in use is told, and perhaps of whom.
                let context = &run.job.context;
                let class = class_of(&context.model, scheme);
                context.disclosed.note(&context.owner, other.record, class);
                let fault = in_use(run, id, scheme, value, other.record, other.period)?;
                run.fault(command, Code::IdentifierInUse, fault);
            }
        }
    }
    Ok(())
}

fn in_use(
    run: &mut Run<'_, '_, '_>,
    id: RecordId,
    scheme: &SchemeCode,
    value: &str,
    other: RecordId,
    period: Period,
) -> Result<Fault, Failure> {
    let pointer = run
        .touched
        .get(&id)
        .and_then(|touched| {
            touched
                .after
                .states()
                .iter()
                .find_map(|state| place(&state.value, scheme, value))
        })
        .unwrap_or_default();
    if !run.sees_identifier(other, scheme, value)? {
        tracing::warn!(record = %id, other = %other, %scheme, "identifier in use by a record that the writer may not see");
        return Ok(Fault::new(
            pointer,
            Code::IdentifierInUse,
            format!(
                "The {scheme} is in use. Check it; if it is right, ask the information steward of the owner."
            ),
            format!(
                "Identiteten ({scheme}) används redan. Kontrollera den; är den rätt, fråga informationsförvaltaren."
            ),
        ));
    }
    Ok(Fault::new(
        pointer,
        Code::IdentifierInUse,
        format!(
            "The record {other} has this {scheme} in {period}. Write to that record, correct the identifier, or change both in one transaction."
        ),
        format!("Posten {other} har denna {scheme} under {period}. Skriv till den posten, rätta identiteten, eller ändra båda i en transaktion."),
    )
    .with(fact::OTHER, other.to_string())
    .with("period", serde_json::json!(period)))
}

/// Where the identifier stands in the data.
fn place(state: &Resolved, scheme: &SchemeCode, value: &str) -> Option<String> {
    let data = state.value();
    let list = data.get("identifiers")?.as_array()?;
    let index = list.iter().position(|identifier| {
        let text = |name: &str| identifier.get(name).and_then(serde_json::Value::as_str);
        text("scheme") == Some(scheme.as_str()) && text("value") == Some(value)
    })?;
    Some(format!("/identifiers/{index}"))
}
