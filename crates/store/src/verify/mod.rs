//! Checks everything that is stored against what must hold. For users after a restore, and at the end of every test.
//!
//! The rows are read in the order of the records' ids, some hundred at a time, so that memory stays bounded however
//! large the registry is. What follows from the bodies is extracted anew by the information model.

mod log;
mod orphans;
mod record;
mod rows;
mod tree;

use std::fmt;

use diesel::sql_types::{BigInt, Text};
use grunddata_information_model::InformationModel;
use grunddata_model::{OwnerKey, RecordId};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::sql_types::{Moment, SqlMoment};
use crate::write::owner_key;

/// How far a verification is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The owner that is being checked.
    pub owner: OwnerKey,
    /// Records of it that are checked.
    pub records: u64,
    /// How many it has.
    pub of: u64,
}

/// Something that must hold and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose rows.
    pub owner: Option<OwnerKey>,
    /// Which record, when it is about one.
    pub record: Option<RecordId>,
    /// A stable name of the rule.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule)?;
        if let Some(owner) = &self.owner {
            write!(f, " owner {owner}")?;
        }
        if let Some(record) = &self.record {
            write!(f, " record {record}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// The most findings that are collected: who has more has one problem, not ten thousand.
const FINDINGS: usize = 1_000;

/// How many rows of a table are expected of an owner.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    identifiers: usize,
    entries: usize,
    pending: usize,
    waited: usize,
}

pub(crate) struct Verifier<'a> {
    model: &'a InformationModel,
    connection: &'a mut Connection,
    findings: Vec<Finding>,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(model: &'a InformationModel, connection: &'a mut Connection) -> Self {
        Self {
            model,
            connection,
            findings: Vec::new(),
        }
    }

    pub(crate) fn run(
        mut self,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Finding>, StoreError> {
        let sql = Sql::<(Text, BigInt, SqlMoment)>::new(
            "SELECT o.key, o.position, o.last_instant FROM owner o ORDER BY o.key",
        );
        let owners: Vec<(String, i64, Moment)> = self.connection.load(&sql)?;
        for (key, position, last) in owners {
            let key = owner_key(&key)?;
            self.check_log(&key, position, last.0)?;
            self.check_tree(&key, position)?;
            self.check_records(&key, progress)?;
            if self.findings.len() >= FINDINGS {
                return Ok(self.findings);
            }
        }
        self.check_orphans()?;
        Ok(self.findings)
    }

    /// The logs alone.
    pub(crate) fn run_logs(mut self) -> Result<Vec<Finding>, StoreError> {
        let sql = Sql::<(Text, BigInt, SqlMoment)>::new(
            "SELECT o.key, o.position, o.last_instant FROM owner o ORDER BY o.key",
        );
        let owners: Vec<(String, i64, Moment)> = self.connection.load(&sql)?;
        for (key, position, last) in owners {
            let key = owner_key(&key)?;
            self.check_log(&key, position, last.0)?;
            self.check_tree(&key, position)?;
        }
        Ok(self.findings)
    }

    fn found(
        &mut self,
        owner: &OwnerKey,
        record: Option<RecordId>,
        rule: &'static str,
        detail: impl Into<String>,
    ) {
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding {
                owner: Some(owner.clone()),
                record,
                rule,
                detail: detail.into(),
            });
        }
    }
}
