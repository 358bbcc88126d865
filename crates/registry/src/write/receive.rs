//! Records that another owner hands over, as they come: staged as they are believed there, and checked for what must hold
//! within the owner.

use std::collections::BTreeMap;

use grunddata_store::{StagedWrite, WriteTx};

use super::apply::{Failure, Job, Run};
use super::check;
use super::pending::Unresolved;
use super::request::OnUncovered;

/// Stages first versions of records, and checks identifiers and hierarchies. All that is wrong is told at once.
pub(crate) fn receive(
    job: &Job,
    tx: &mut WriteTx<'_>,
    writes: Vec<StagedWrite>,
) -> Result<(), Failure> {
    let mut run = Run {
        job,
        tx,
        touched: BTreeMap::new(),
        order: Vec::new(),
        versions: BTreeMap::new(),
        faults: Vec::new(),
        findings: Vec::new(),
        followed: BTreeMap::new(),
        unresolved: Unresolved::default(),
    };
    for write in writes {
        run.versions.insert(write.id, None);
        run.stage(write, None, OnUncovered::Flag)?;
    }
    check::received(&mut run)?;
    match run.refusal_of_faults() {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}
