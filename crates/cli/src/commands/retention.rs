//! `grunddata retention`

use std::process::ExitCode;

use chrono::NaiveDate;
use grunddata_access_log::Kind as LogKind;
use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_registry::{
    Decision, Delivery, Disposal, Due, Keeping, NewDelivery, NewRetentionRule, RetentionPlan,
    RetentionRule,
};
use serde_json::json;
use uuid::Uuid;

use crate::arguments::{NewRule, Retention, RetentionRules};
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{grouped, line, note};
use crate::settings::Settings;

/// Rules, plans and runs.
pub(crate) fn run(settings: &Settings, retention: Retention) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let mut code = ExitCode::SUCCESS;
    match retention {
        Retention::Rule(RetentionRules::Add(new)) => {
            let new = rule(new)?;
            let detail = json!({"decision": new.decision});
            let act = Act::about("retention-rule-add", &new.owner, detail);
            let rule = console::act(settings, &context, act, || {
                registry.put_retention_rule(&context, new)
            })?;
            line(told(&rule));
        }
        Retention::Rule(RetentionRules::List { owner }) => {
            let rules = registry.retention_rules(&context, &key(&owner)?)?;
            if rules.is_empty() {
                line("There is no rule: nothing is ever erased.");
            }
            for rule in rules {
                line(told(&rule));
            }
        }
        Retention::Rule(RetentionRules::End { owner, id, from }) => {
            let owner = key(&owner)?;
            let rule: Uuid = parse(&id, "the id of a rule")?;
            let detail = json!({"rule": rule, "from": from});
            let act = Act::about("retention-rule-end", &owner, detail);
            console::act(settings, &context, act, || {
                registry.end_retention_rule(&context, &owner, rule, from)
            })?;
            line(format!("The rule {id} has ended."));
        }
        Retention::Deliver {
            owner,
            rule,
            date,
            reference,
            archive,
        } => {
            let new = NewDelivery {
                owner: key(&owner)?,
                rule: parse(&rule, "the id of a rule")?,
                archive,
                reference,
                delivered: date,
            };
            let act = Act::about("retention-deliver", &new.owner, json!({"rule": new.rule}));
            let made = console::act(settings, &context, act, || {
                registry.put_delivery(&context, new)
            })?;
            line(delivered(&made));
        }
        Retention::Deliveries { owner } => {
            for delivery in registry.deliveries(&context, &key(&owner)?)? {
                line(delivered(&delivery));
            }
        }
        Retention::Plan { owner } => {
            let plan = registry.retention_plan(&context, &key(&owner)?)?;
            show(&plan);
        }
        Retention::Run { owner, plan } => {
            let owner = key(&owner)?;
            let mut act = Act::about("retention-run", &owner, json!({"plan": plan}));
            act.kind = LogKind::Erasure;
            let disposal = console::act(settings, &context, act, || {
                registry.run_retention(&context, &owner, &plan)
            })?;
            report(&disposal);
            code = ExitCode::from(u8::from(!disposal.content.left.is_empty()));
        }
    }
    registry.store().shutdown();
    Ok(code)
}

fn rule(new: NewRule) -> Result<NewRetentionRule, Failure> {
    let date = |text: Option<String>| -> Result<Option<NaiveDate>, Failure> {
        text.map(|text| parse(&text, "a date such as 2026-01-01"))
            .transpose()
    };
    Ok(NewRetentionRule {
        owner: key(&new.owner)?,
        controller: new
            .controller
            .map(|id| parse::<RecordId>(&id, "the id of an organisation"))
            .transpose()?,
        domain: new
            .domain
            .map(|name| {
                let found = Domain::ALL
                    .into_iter()
                    .find(|domain| domain.as_str() == name);
                found.ok_or_else(|| {
                    Failure::new(Kind::Usage, format!("\"{name}\" is no domain"))
                        .cure("The domains are person, role, organisation, geography and service.")
                })
            })
            .transpose()?,
        kind: new.kind,
        keeping: match new.erase_after {
            Some(years) => Keeping::Erase { years },
            None => Keeping::Preserve {
                archive: new.archive,
            },
        },
        decision: Decision {
            text: new.decision,
            reference: new.reference,
        },
        valid_from: date(new.from)?,
        valid_to: date(new.to)?,
    })
}

fn delivered(delivery: &Delivery) -> String {
    format!(
        "{}  rule {}  {} to {}  ({})",
        delivery.id, delivery.rule, delivery.delivered, delivery.archive, delivery.reference
    )
}

fn told(rule: &RetentionRule) -> String {
    let keeping = match &rule.keeping {
        Keeping::Erase { years } => format!("erased {years} years after the end"),
        Keeping::Preserve { archive: Some(to) } => format!("preserved, delivered to {to}"),
        Keeping::Preserve { archive: None } => "preserved".to_owned(),
    };
    let of = [
        rule.domain.map(|domain| domain.as_str().to_owned()),
        rule.kind.clone(),
        rule.controller.map(|id| format!("controller {id}")),
    ];
    let of: Vec<String> = of.into_iter().flatten().collect();
    let of = if of.is_empty() {
        "everything".to_owned()
    } else {
        of.join(" ")
    };
    format!(
        "{}  {of}: {keeping}  {}  ({}: {})",
        rule.id, rule.period, rule.decision.reference, rule.decision.text
    )
}

fn show(plan: &RetentionPlan) {
    let item = |what: &str, due: &Due| {
        let kind = due.kind.as_deref().unwrap_or("-");
        line(format!(
            "{what}  {}  {:<12} {kind:<20} ended {}  due since {}",
            due.id,
            due.domain.as_str(),
            due.ended,
            due.since
        ));
    };
    for due in &plan.erased {
        item("erase     ", due);
    }
    for due in &plan.held {
        item("held      ", due);
    }
    for due in &plan.referenced {
        item("referenced", due);
        for referrer in &due.referrers {
            line(format!("            by {referrer}"));
        }
    }
    for kept in &plan.preserved {
        let to = kept.archive.as_deref().unwrap_or("no archive named");
        line(format!(
            "preserved  {} records by the rule {} ({to})",
            grouped(kept.records),
            kept.rule
        ));
    }
    note(format!(
        "{} to erase, {} held, {} still referred to. Nothing was changed.",
        grouped(plan.erased.len() as u64),
        grouped(plan.held.len() as u64),
        grouped(plan.referenced.len() as u64)
    ));
    if !plan.erased.is_empty() {
        note(format!(
            "Carry it out with: grunddata retention run {} --plan {}",
            plan.owner, plan.token
        ));
    }
}

/// What was erased, for whoever ran it.
pub(crate) fn report(disposal: &Disposal) {
    for (domain, count) in &disposal.content.counts {
        line(format!(
            "{:<12} {} erased",
            domain.as_str(),
            grouped(*count)
        ));
    }
    for id in &disposal.content.left {
        line(format!("left         {id}"));
    }
    line(format!(
        "Disposal {}: {} of {} records erased.",
        disposal.id,
        grouped(disposal.content.records.len() as u64),
        grouped(disposal.content.planned)
    ));
}

/// The key of an owner.
pub(crate) fn key(text: &str) -> Result<OwnerKey, Failure> {
    OwnerKey::new(text).map_err(|error| Failure::new(Kind::Usage, error))
}

/// A value of the command line.
pub(crate) fn parse<T: std::str::FromStr>(text: &str, form: &str) -> Result<T, Failure>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| Failure::new(Kind::Usage, format!("\"{text}\" is not {form}: {error}")))
}
