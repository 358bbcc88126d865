//! The one table of stable codes with which the registry refuses a request. A code, once released, never changes its
//! meaning: clients and the problem types of the HTTP interface (`urn`, status and title are given in `server`) are
//! built on it.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)+) => {
        /// Why a request is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The stable text: lower-case words joined by hyphens.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $text,)+
                }
            }
        }
    };
}

codes! {
    // ---- who asks
    /// The request needs a caller who has said who they are.
    Unauthenticated => "unauthenticated",
    /// The caller is known but may not do this.
    Forbidden => "forbidden",
    /// The caller writes for several owners (or all) and did not say for which.
    OwnerRequired => "owner-required",
    /// There is no such owner.
    UnknownOwner => "unknown-owner",
    /// The owner exists already.
    OwnerExists => "owner-exists",
    /// There is no such peer.
    UnknownPeer => "unknown-peer",
    /// The owner belongs to this registry, and is not copied from elsewhere.
    OwnerAtHome => "owner-at-home",
    /// The owner is copied from another peer.
    OwnerCopied => "owner-copied",

    // ---- how it is asked
    /// A parameter that nobody knows.
    UnknownParameter => "unknown-parameter",
    /// A parameter or form of one that the interface describes but this version does not offer.
    UnsupportedParameter => "unsupported-parameter",
    /// A parameter whose value cannot be read.
    InvalidParameter => "invalid-parameter",
    /// A property that the domain does not have, or that is not indexed.
    UnknownProperty => "unknown-property",
    /// A date or instant that cannot be read.
    InvalidDate => "invalid-date",
    /// `limit` is 0 or above the highest.
    LimitOutOfRange => "limit-out-of-range",
    /// A page beyond the hits that can be reached by page number.
    PageTooDeep => "page-too-deep",
    /// A cursor that was not given by this registry for this query.
    InvalidCursor => "invalid-cursor",
    /// A cursor of the feed from when the reader was shown something else.
    AccessChanged => "access-changed",
    /// A place in a log from before it was restored from a backup.
    LogForked => "log-forked",
    /// An `asOf` token that was not given by this registry.
    InvalidAsOf => "invalid-as-of",
    /// An explicit `knownAt` later than now.
    KnownAtInFuture => "known-at-in-future",
    /// There is no such identifier scheme.
    UnknownIdentifierScheme => "unknown-identifier-scheme",
    /// A personal identifier in an address.
    PersonalIdentifierInAddress => "personal-identifier-in-address",
    /// There is no such relation.
    UnknownRelation => "unknown-relation",
    /// More items than one request may hold.
    TooManyItems => "too-many-items",

    // ---- what is there
    /// Nothing that the caller may see has this id.
    NotFound => "not-found",
    /// The record exists but nothing holds at this coordinate.
    NotValidThen => "not-valid-then",
    /// The record was not yet known at this coordinate.
    NotKnownThen => "not-known-then",
    /// The record was recorded in error and is no longer believed.
    Retracted => "retracted",
    /// The record was merged into another.
    Merged => "merged",
    /// The record was handed over to another owner.
    Transferred => "transferred",
    /// The record is being handed over to another owner.
    InTransfer => "in-transfer",
    /// There is no such hand-over.
    UnknownTransfer => "unknown-transfer",
    /// The hand-over is no longer, or not yet, at the step that is asked for.
    TransferState => "transfer-state",
    /// There is nothing that can be handed over.
    NothingToTransfer => "nothing-to-transfer",
    /// The other registry cannot be asked, or refuses.
    OtherRegistry => "other-registry",
    /// The record's content was erased.
    Erased => "erased",
    /// There is no such version of the record.
    UnknownVersion => "unknown-version",
    /// There is no such transaction of this owner.
    UnknownTransaction => "unknown-transaction",

    // ---- what is written
    /// The data does not agree with the information model; `errors` lists everything.
    InvalidData => "invalid-data",
    /// The model version is not known or not open for writing.
    UnknownModel => "unknown-model",
    /// The bounds are not a period.
    InvalidPeriod => "invalid-period",
    /// The id is taken.
    RecordExists => "record-exists",
    /// The record's origin is elsewhere: it is a copy, and read-only.
    ReadOnlyCopy => "read-only-copy",
    /// A copy, or whoever feeds copies, would lower the protection of a person.
    ProtectionLowered => "protection-lowered",
    /// A write to an existing record without `If-Match`.
    PreconditionRequired => "precondition-required",
    /// The record has another version than `If-Match` says.
    PreconditionFailed => "precondition-failed",
    /// The write would overwrite what is planned.
    PlannedStates => "planned-states",
    /// The record has ended; only a revive brings it back.
    RecordEnded => "record-ended",
    /// A revive of a record that has not ended by then.
    NotEnded => "not-ended",
    /// Nothing is valid in the period of an amendment.
    NothingValid => "nothing-valid",
    /// The write would leave the record never valid at all.
    NeverValid => "never-valid",
    /// Another record has the identifier.
    IdentifierInUse => "identifier-in-use",
    /// The reference leads to nothing.
    ReferenceNotFound => "reference-not-found",
    /// The identifier of a reference names several records.
    ReferenceAmbiguous => "reference-ambiguous",
    /// The reference leads to a record of the wrong domain or kind.
    ReferenceWrongTarget => "reference-wrong-target",
    /// The target of a reference does not hold during the whole time of the reference.
    ReferenceNotCovered => "reference-not-covered",
    /// Other records refer to what would go away.
    StillReferenced => "still-referenced",
    /// A legal hold, or a restriction of processing, keeps a record from being erased.
    LegalHold => "legal-hold",
    /// What is due is not what the plan said.
    PlanChanged => "plan-changed",
    /// The write would close a circle in a hierarchy.
    HierarchyCycle => "hierarchy-cycle",
    /// A code that does not hold on the first day on which the record would have it.
    CodeNotValidAtDate => "code-not-valid-at-date",
    /// The patch cannot be read.
    PatchMalformed => "patch-malformed",
    /// The patch does not apply to a state.
    PatchFailed => "patch-failed",
    /// Array positions in a JSON Patch over states that differ in that array, without a `test` first.
    PatchNeedsTest => "patch-needs-test",
    /// A transaction touches records of several owners.
    SeveralOwners => "several-owners",
    /// A temporary id that no operation of the transaction gives.
    UnknownTemporaryId => "unknown-temporary-id",
    /// A temporary id given twice, or one record created twice.
    DuplicateInTransaction => "duplicate-in-transaction",
    /// An upsert whose data has no identifier, or several, of the scheme.
    NoMatchIdentifier => "no-match-identifier",
    /// An upsert that would match several records.
    MatchAmbiguous => "match-ambiguous",
    /// What should be undone has been built upon since.
    RevertConflict => "revert-conflict",
    /// The idempotency key was used for another request.
    IdempotencyKeyReused => "idempotency-key-reused",
    /// The idempotency key is too short, too long or holds control characters.
    InvalidIdempotencyKey => "invalid-idempotency-key",
    /// A reason, name or other text of the envelope is too long or holds control characters.
    InvalidText => "invalid-text",

    // ---- loads
    /// The owner has no such source.
    UnknownSource => "unknown-source",
    /// The settings of a source are wrong; `errors` lists everything.
    InvalidSettings => "invalid-settings",
    /// The source takes no more loads.
    SourceRetired => "source-retired",
    /// The owner has no such load.
    UnknownLoad => "unknown-load",
    /// The source has a load that is still to be planned or applied.
    LoadOpen => "load-open",
    /// The load is not in the state that this needs.
    LoadState => "load-state",
    /// Somebody else must approve the plan first.
    ApprovalRequired => "approval-required",
    /// Who had the plan made does not approve it.
    SamePerson => "same-person",

    // ---- subscriptions
    /// The subscription is not in the state that this needs.
    SubscriptionState => "subscription-state",

    // ---- the registry itself
    /// Too much to do just now.
    Busy => "busy",
    /// The clock jumped; writes are stopped.
    ClockJump => "clock-jump",
    /// The disk of the database is full, or broken.
    StorageFull => "storage-full",
    /// The statement took longer than it may.
    Timeout => "timeout",
    /// An error of ours. The cause is in the log under the request id, never in the answer.
    Internal => "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_kebab_case() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for text in texts {
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                "{text}"
            );
        }
    }
}
