//! What happens to referrers when a target shrinks or changes its kind: `cascade` ends them the same day, `unset` takes
//! the reference from them from that day, `restrict` refuses, `keep` lets them be (unless the target never existed).
//!
//! Only referrers of the same owner follow. A referrer that follows may have referrers of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use grunddata_information_model::{LinkUse, OnTargetEnd, Relation, Resolved};
use grunddata_model::{Domain, Period, RecordId, Timeline};
use grunddata_store::{Inbound, Needs, Operation, RecordStatus, StagedWrite};
use serde_json::{Value, json};

use super::without::without;
use super::{links, subtract};
use crate::write::apply::{Failure, Run};
use crate::write::operate::span;
use crate::write::request::OnUncovered;
use crate::{Code, Fault, Refusal, fact};

/// The most records that may follow in one job.
const MAX_FOLLOWERS: usize = 20_000;
/// The most referrers that an error lists.
const MAX_LISTED: usize = 50;

pub(super) fn consequences(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    let mut queue: VecDeque<RecordId> = run.order.iter().copied().collect();
    let mut handled: BTreeMap<RecordId, Timeline<Resolved>> = BTreeMap::new();
    let shrunk: Vec<RecordId> = run
        .touched
        .values()
        .filter(|touched| weakened(&touched.before, &touched.after))
        .map(|touched| touched.id)
        .collect();
    if shrunk.is_empty() {
        return Ok(());
    }
    run.tx.prefetch(&Needs {
        inbound: shrunk,
        ..Needs::default()
    })?;
    let mut followers = 0_usize;
    while let Some(target) = queue.pop_front() {
        let Some(touched) = run.touched.get(&target) else {
            continue;
        };
        let (domain, after) = (touched.domain, touched.after.clone());
        let before = handled
            .insert(target, after.clone())
            .unwrap_or_else(|| touched.before.clone());
        if !weakened(&before, &after) {
            continue;
        }
        let inbound = run.tx.inbound(target)?;
        run.tx.prefetch(&Needs {
            records: inbound.iter().map(|link| link.source).collect(),
            ..Needs::default()
        })?;
        for link in inbound.iter().filter(|link| link.source != target) {
            let Some(relation) = relation_of(run, link) else {
                continue;
            };
            let parts = old_parts(
                run,
                link,
                target,
                broken(&before, &after, link.period, &relation, domain),
            );
            if parts.is_empty() {
                continue;
            }
            let changed = match relation.on_target_end {
                OnTargetEnd::Cascade => cut(run, link, target, &parts)?,
                OnTargetEnd::Unset => unset(run, link, target, &parts)?,
                OnTargetEnd::Restrict | OnTargetEnd::Keep => false,
            };
            if changed {
                followers += 1;
                if followers > MAX_FOLLOWERS {
                    return Err(Refusal::new(
                        Code::TooManyItems,
                        format!("More than {MAX_FOLLOWERS} records would end or change with this one: end them first, in several transactions."),
                    )
                    .into());
                }
                queue.push_back(link.source);
            }
        }
    }
    refuse_restricted(run)
}

/// Whether the record held on some day on which it no longer holds, or had another kind.
fn weakened(before: &Timeline<Resolved>, after: &Timeline<Resolved>) -> bool {
    before
        .diff(after)
        .iter()
        .any(|difference| match (difference.before, difference.after) {
            (Some(_), None) => true,
            (Some(old), Some(new)) => old.kind() != new.kind(),
            (None, _) => false,
        })
}

fn relation_of(run: &Run<'_, '_, '_>, link: &Inbound) -> Option<Relation> {
    run.job
        .context
        .model
        .relation(link.source_domain, &link.relation)
        .cloned()
}

/// The parts of the link's period on which the target answered the relation's demands before and no longer does.
fn broken(
    before: &Timeline<Resolved>,
    after: &Timeline<Resolved>,
    period: Period,
    relation: &Relation,
    domain: Domain,
) -> Vec<Period> {
    let answers =
        |value: Option<&Resolved>| value.is_some_and(|value| relation.allows(domain, value.kind()));
    before
        .diff(after)
        .iter()
        .filter(|difference| answers(difference.before) && !answers(difference.after))
        .filter_map(|difference| difference.period.intersect(&period))
        .collect()
}

/// Of the parts, those on which the link was there before the job: a link that the job itself brought is refused as not
/// covered rather than cut in silence.
fn old_parts(
    run: &Run<'_, '_, '_>,
    link: &Inbound,
    target: RecordId,
    parts: Vec<Period>,
) -> Vec<Period> {
    let Some(touched) = run.touched.get(&link.source) else {
        return parts;
    };
    let key = LinkUse {
        relation: Arc::clone(&link.relation),
        target,
        class: 0,
    };
    let before = links(&touched.before);
    let known = before.get(&key).map(Vec::as_slice).unwrap_or_default();
    parts
        .into_iter()
        .flat_map(|part| {
            let new = subtract(part, known);
            subtract(part, &new)
        })
        .collect()
}

/// The referrer does not hold on these days.
fn cut(
    run: &mut Run<'_, '_, '_>,
    link: &Inbound,
    target: RecordId,
    parts: &[Period],
) -> Result<bool, Failure> {
    let Some(image) = run.tx.record(link.source)? else {
        return Ok(false);
    };
    let after = parts.iter().fold(image.timeline.clone(), |timeline, part| {
        timeline.retract(Some(*part))
    });
    stage(run, link.source, target, after)
}

/// The referrer loses the reference on these days.
fn unset(
    run: &mut Run<'_, '_, '_>,
    link: &Inbound,
    target: RecordId,
    parts: &[Period],
) -> Result<bool, Failure> {
    let Some(image) = run.tx.record(link.source)? else {
        return Ok(false);
    };
    let model = run.job.context.model.clone();
    let mut after = image.timeline.clone();
    for part in parts {
        let amended = after.amend(*part, |state| {
            without(&model, &state.value, &link.relation, target).ok_or(())
        });
        match amended {
            Ok(amended) => after = amended,
            // The model demands the reference: what cannot be taken away restricts.
            Err(_) => return Ok(false),
        }
    }
    stage(run, link.source, target, after)
}

fn stage(
    run: &mut Run<'_, '_, '_>,
    source: RecordId,
    target: RecordId,
    after: Timeline<Resolved>,
) -> Result<bool, Failure> {
    let Some(image) = run.tx.record(source)? else {
        return Ok(false);
    };
    if after == image.timeline {
        return Ok(false);
    }
    let Some(cause) = run
        .touched
        .get(&target)
        .map(|touched| touched.staged.clone())
    else {
        return Ok(false);
    };
    let staged = StagedWrite {
        id: source,
        domain: image.domain,
        fresh: false,
        controller: image.controller,
        origin: image.origin.clone(),
        transaction: run.job.transaction,
        operation: Operation::Follow,
        change_kind: cause.change_kind,
        corrects: None,
        actor: Arc::clone(&run.job.context.actor),
        reason: cause.reason,
        source: cause.source,
        touched: span(&image.timeline, &after),
        before: image.timeline.clone(),
        status: if after.is_empty() {
            RecordStatus::Retracted
        } else {
            RecordStatus::Current
        },
        after,
        forward_to: None,
    };
    run.stage(staged, None, OnUncovered::Reject)?;
    // What follows a follower follows what that one did.
    let causes = match run.touched.get(&target).and_then(|touched| touched.command) {
        Some(command) => BTreeSet::from([command]),
        None => run.followed.get(&target).cloned().unwrap_or_default(),
    };
    run.followed.entry(source).or_default().extend(causes);
    Ok(true)
}

/// When all that follows has followed: whoever still refers to what went away.
fn refuse_restricted(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    for target in run.order.clone() {
        let Some(touched) = run.touched.get(&target) else {
            continue;
        };
        if !weakened(&touched.before, &touched.after) {
            continue;
        }
        let (before, after) = (touched.before.clone(), touched.after.clone());
        let (domain, command) = (touched.domain, touched.command);
        let mut listed: Vec<Value> = Vec::new();
        let (mut count, mut any) = (0_u64, false);
        for link in run.tx.inbound(target)? {
            if link.source == target {
                continue;
            }
            let Some(relation) = relation_of(run, &link) else {
                continue;
            };
            let parts = if relation.on_target_end == OnTargetEnd::Keep {
                if after.is_empty() {
                    vec![link.period]
                } else {
                    Vec::new()
                }
            } else {
                broken(&before, &after, link.period, &relation, domain)
            };
            let parts = old_parts(run, &link, target, parts);
            if parts.is_empty() {
                continue;
            }
            any = true;
            // What the writer may not see is neither counted nor listed.
            let Some(image) = run
                .tx
                .record(link.source)?
                .filter(|image| run.job.context.allows(image))
            else {
                continue;
            };
            count += 1;
            if listed.len() < MAX_LISTED {
                let context = &run.job.context;
                let class = context.model.domain(link.source_domain).class();
                context
                    .disclosed
                    .note(&context.owner, link.source, class.bit());
                // The name on the first of the days.
                let display = parts
                    .first()
                    .and_then(|part| image.timeline.at(part.from()))
                    .filter(|state| run.job.context.allows_state(&image, &state.value))
                    .and_then(|state| state.value.display());
                listed.push(json!({
                    "id": link.source.to_string(),
                    "domain": link.source_domain.as_str(),
                    "relation": &*link.relation,
                    "display": display,
                    "periods": parts,
                }));
            }
        }
        if any {
            let (who, vem) = match count {
                0 => ("Something refers".to_owned(), "Något".to_owned()),
                1 => ("1 record refers".to_owned(), "1 post".to_owned()),
                _ => (format!("{count} records refer"), format!("{count} poster")),
            };
            let fault = Fault::new(
                "",
                Code::StillReferenced,
                format!(
                    "{who} to {target} on days on which it would no longer hold (or be of another kind). End or change them first, or in the same transaction."
                ),
                format!(
                    "{vem} hänvisar till {target} på dagar då den inte längre skulle gälla (eller vara av annat slag). Avsluta eller ändra dem först, eller i samma transaktion."
                ),
            )
            .with("target", target.to_string())
            .with(fact::REFERRERS, listed)
            .with(fact::REFERRER_COUNT, count);
            run.fault(command, Code::StillReferenced, fault);
        }
    }
    Ok(())
}
