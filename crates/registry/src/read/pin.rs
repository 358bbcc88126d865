//! From what a request says about recorded time to the instants that its statements use.
//!
//! An owner that has written lately is pinned at its last change; all others share one instant that lies far enough back
//! for no batch to be on its way to it. So a coordinate over a thousand owners stays small, in the statement and in the
//! token, and an answer that was given stays as it was (`docs/adr/0008`).

use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{Coordinate, Known, OwnerSet, Reader, StoreError, Visibility};

use crate::{AsOf, At, Context, KnownAt, Pins, Registry};

/// How long after its instant a batch can still be on its way, in microseconds: longer than it may take until it commits
/// ([`COMMITS_WITHIN`](grunddata_store::COMMITS_WITHIN)), the commit, and what the clocks of two machines may differ by.
const SETTLES: i64 = 60_000_000;

/// The latest instant at or before which nothing more can be recorded.
pub(crate) fn settled(context: &Context) -> Instant {
    settled_at(context.now)
}

/// The same as of an instant.
pub(crate) fn settled_at(now: Instant) -> Instant {
    Instant::from_micros(now.micros().saturating_sub(SETTLES))
}

/// Before anything was recorded.
fn before_everything() -> Instant {
    Instant::from_micros(0)
}

impl Registry {
    /// The coordinate over all owners.
    pub(crate) fn pin_all(
        &self,
        reader: &mut Reader<'_>,
        context: &Context,
        at: &At,
        visibility: &Visibility,
    ) -> Result<Coordinate, StoreError> {
        // A copy gets changes that were recorded elsewhere a while ago: it stands where it is complete, by itself.
        let copies = self.copies_with(reader)?;
        let complete = |owner: &OwnerKey| {
            let copied = copies.get(owner);
            copied.map(|copied| copied.complete_to.unwrap_or_else(before_everything))
        };
        let settled = settled(context);
        let known = match &at.known {
            KnownAt::Latest => {
                let Known { pins, .. } = reader.pin(&OwnerSet::All, None)?;
                let (quiet, mut busy): (Vec<_>, Vec<_>) =
                    pins.into_iter().partition(|(owner, instant)| {
                        *instant <= settled && !copies.contains_key(owner)
                    });
                for (owner, instant) in &mut busy {
                    *instant = complete(owner).unwrap_or(*instant);
                }
                // The last change of any of them: later than nothing that they have recorded, and as early as can be. Those of
                // which the reader sees nothing are left out: when they wrote is not told.
                let others = quiet
                    .into_iter()
                    .filter(|(owner, _)| visibility.sees_of(owner))
                    .map(|(_, instant)| instant)
                    .max();
                Known {
                    pins: busy,
                    others: Some(others.unwrap_or_else(before_everything)),
                }
            }
            // Nothing more comes at or before it: there is nothing to fence.
            KnownAt::Instant(instant) if *instant <= settled => Known::at(*instant),
            KnownAt::Instant(instant) => {
                reader.pin(&OwnerSet::All, Some(*instant))?;
                Known::at(*instant)
            }
            KnownAt::Held(instant) => {
                if *instant > settled {
                    reader.pin(&OwnerSet::All, Some(*instant))?;
                }
                let mut pins = Vec::with_capacity(copies.len());
                for owner in copies.keys() {
                    let by_then = reader.copied_by(owner, *instant)?;
                    let known = by_then.map_or_else(before_everything, |batch| batch.complete_at);
                    pins.push((owner.clone(), known));
                }
                Known {
                    pins,
                    others: Some(*instant),
                }
            }
            KnownAt::Pinned(pins) => Known {
                pins: pins.owners.clone(),
                others: Some(pins.others.unwrap_or_else(before_everything)),
            },
        };
        Ok(Coordinate {
            valid_at: at.valid_at,
            known,
        })
    }
}

/// What the reply echoes. Owners of which the reader sees nothing are not named: nothing of the answer depends on them.
pub(crate) fn as_of(coordinate: &Coordinate, visibility: &Visibility) -> AsOf {
    let pins = coordinate.known.pins.iter();
    AsOf {
        valid_at: coordinate.valid_at,
        pins: Pins {
            owners: pins
                .filter(|(owner, _)| visibility.sees_of(owner))
                .cloned()
                .collect(),
            others: coordinate.known.others,
        },
    }
}
