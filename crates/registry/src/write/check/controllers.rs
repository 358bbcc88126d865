//! Moving an organisation moves what grants to a subtree reach. Where records have it, or something below it, as their
//! controller, only who administers the owner may put it below another: otherwise whoever may edit organisations could
//! draw another body's records into a subtree of its own.
//!
//! A new parent counts on whatever days it holds: grants follow the organisation as it is each day. What makes no grant
//! reach further is left to editors: taking a parent away, and keeping the present one for longer.

use std::collections::BTreeSet;

use grunddata_model::{Domain, RecordId};

use super::{links, new_links, pointer_of};
use crate::access::{SUBTREE, SUBTREE_RELATION};
use crate::write::apply::{Failure, Run};
use crate::{Code, Fault};

pub(super) fn check(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    if run.job.context.administers {
        return Ok(());
    }
    let moved: Vec<RecordId> = run
        .touched
        .values()
        .filter(|touched| touched.domain == Domain::Organisation)
        .map(|touched| touched.id)
        .collect();
    for id in moved {
        let before = match run.touched.get(&id) {
            Some(touched) => links(&touched.before),
            None => continue,
        };
        let moved = new_links(run, id).into_iter().find(|(link, periods)| {
            let known = before.get(link).map(Vec::as_slice).unwrap_or_default();
            let prolongs = |from| known.iter().any(|known| known.to() == from);
            &*link.relation == SUBTREE_RELATION
                && !periods.iter().all(|period| prolongs(period.from()))
        });
        let Some((link, _)) = moved else { continue };
        if !answers_for_records(run, id)? {
            continue;
        }
        let command = run.touched.get(&id).and_then(|touched| touched.command);
        let mut pointer = pointer_of(run, id, &link);
        if pointer.is_empty() {
            // A patch: its references stand where the data will have them.
            pointer = format!("/{SUBTREE_RELATION}");
        }
        let fault = Fault::new(
            pointer,
            Code::Forbidden,
            "Records have this organisation, or one below it, as their controller: putting it below another decides who \
             reads them. Ask somebody who administers the owner to do it.",
            "Poster har organisationen, eller någon under den, som personuppgiftsansvarig: att flytta den avgör vem som \
             läser dem. Be den som administrerar ägaren.",
        );
        run.fault(command, Code::Forbidden, fault);
    }
    Ok(())
}

/// Whether the organisation or one below it, on whatever day, is the controller of a record. One with more below it than
/// a grant covers counts as if it were.
fn answers_for_records(run: &mut Run<'_, '_, '_>, top: RecordId) -> Result<bool, Failure> {
    let mut seen = BTreeSet::from([top]);
    let mut waiting = vec![top];
    while let Some(organisation) = waiting.pop() {
        if run.tx.is_controller(organisation)? {
            return Ok(true);
        }
        for link in run.tx.inbound(organisation)? {
            if &*link.relation == SUBTREE_RELATION
                && link.source_domain == Domain::Organisation
                && seen.insert(link.source)
            {
                waiting.push(link.source);
            }
        }
        if seen.len() > SUBTREE {
            return Ok(true);
        }
    }
    Ok(false)
}
