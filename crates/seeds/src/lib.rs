//! Seed data: real Swedish reference data and a fictional municipality, as an ordered list of transactions.
//!
//! The generators are pure and deterministic: the same transactions, ids and dates every time, on any day. The files
//! that they build on are part of the program; `seeds/SOURCES.md` says where each comes from and under which licence.
//!
//! Architecture invariant: nothing here reads a clock, a file or the network.

#![expect(
    clippy::indexing_slicing,
    reason = "the generators index tables that are built into the program; the tests generate all there is"
)]

mod apply;
mod dice;
mod files;
mod identity;
mod norrberga;
mod operation;
mod reference;
#[cfg(test)]
mod whole;

use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_model::{Domain, Instant};
use uuid::Uuid;

pub use apply::{Applied, ApplyError, Progress, SeedClock, apply, progress};
pub use identity::seed_id;
pub use operation::{Origin, SeedAction, SeedOperation, SeedTransaction};

/// The owner of the reference data.
pub const SCB: &str = "se-scb";
/// The owner of the fictional municipality.
pub const NORRBERGA: &str = "se-norrberga";
/// The owners, in the order of their first transactions.
pub const OWNERS: [SeedOwner; 2] = [
    SeedOwner {
        key: SCB,
        name: "Statistiska centralbyrån",
        last: (reference::COPIED, 8 * 60 + 6),
    },
    SeedOwner {
        key: NORRBERGA,
        name: "Norrberga kommun (påhittad)",
        last: (operation::day(2026, 11, 20), 60 + 20),
    },
];

/// An owner of seeded records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedOwner {
    /// The key.
    pub key: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// Day and minute of its last transaction, so that nothing needs to be made to tell whether all of it is there.
    last: (NaiveDate, i64),
}

impl SeedOwner {
    /// When its last transaction is recorded.
    #[must_use]
    pub fn last_recorded(&self) -> Instant {
        operation::at(self.last.0, self.last.1)
    }
}

/// How many operations all transactions hold together, for a bar that shows how far the work has come.
pub const OPERATIONS: usize = 38_028;

/// Operations per transaction, at most about.
const BATCH: usize = 2_000;

/// A seed file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A built-in file cannot be read.
    #[error("the built-in seed file seeds/{name} is malformed: {cause}")]
    File {
        /// The file under `seeds/`.
        name: &'static str,
        /// What is wrong with it.
        cause: String,
    },
}

/// All seeds.
#[derive(Clone)]
pub struct Seeds {
    norrberga: Arc<norrberga::Municipality>,
}

/// Ids of records that are worth a look.
#[derive(Debug, Clone, Copy)]
pub struct Showcase {
    /// The area of Heby, which changed county and code in 2007.
    pub heby: Uuid,
    /// The administration that is split on 2027-01-01.
    pub split_administration: Uuid,
    /// An operating area that gets a new parent that day.
    pub moved_unit: Uuid,
    /// A person who changed names.
    pub renamed_person: Uuid,
    /// The committee that answers for social services.
    pub committee: Uuid,
}

impl Seeds {
    /// Reads the built-in files and works out who lives, works and goes to school where.
    ///
    /// # Errors
    /// [`SeedError::File`] if a built-in file is malformed.
    pub fn load() -> Result<Self, SeedError> {
        Ok(Self {
            norrberga: Arc::new(norrberga::Municipality::load()?),
        })
    }

    /// Every transaction, in the order in which it is recorded: first the reference data, then the municipality.
    /// Transactions of the municipality are made one at a time, so that the whole never lies in memory.
    ///
    /// # Errors
    /// [`SeedError::File`] if a built-in file is malformed.
    pub fn transactions(&self) -> Result<impl Iterator<Item = SeedTransaction> + use<>, SeedError> {
        let reference = reference::transactions()?;
        Ok(reference
            .into_iter()
            .chain(Arc::clone(&self.norrberga).transactions()))
    }

    /// Records to show a newcomer.
    #[must_use]
    pub fn showcase() -> Showcase {
        Showcase {
            heby: reference::municipality_area("0331"),
            split_administration: norrberga::split_administration(),
            moved_unit: norrberga::moved_unit(),
            renamed_person: norrberga::renamed_person(),
            committee: seed_id(Domain::Organisation, "norrberga/soc"),
        }
    }
}
