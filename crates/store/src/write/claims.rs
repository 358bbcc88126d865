//! Who holds an identifier, as believed now and staged.

use grunddata_model::{OwnerKey, Period, RecordId};

/// A record that holds an identifier during a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who answers for the record.
    pub owner: OwnerKey,
    /// The record.
    pub record: RecordId,
    /// When it effectively holds it: the states' period cut by the identifier's own.
    pub period: Period,
    /// The status given with it: `active` when none was given.
    pub status: String,
    /// Who issued it (schemes that are unique per issuer).
    pub issuer: Option<String>,
}
