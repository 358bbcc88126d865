//! Places from before a log was restored from a backup.

use grunddata_model::OwnerKey;
use grunddata_store::EpochRow;

use crate::{Code, Refusal, fact};

/// A log with its epochs.
pub(super) struct Epochs {
    pub(super) now: u64,
    pub(super) after_first: Vec<EpochRow>,
}

impl Epochs {
    /// Up to which position a reader of that epoch has read what is in the log still. `None` = everything: it is this
    /// epoch. Of one that this log does not know (it was lost with another branch) it is not known either: 0.
    fn shared(&self, epoch: u64) -> Option<u64> {
        if epoch == self.now {
            return None;
        }
        let known = epoch == 1 || self.after_first.iter().any(|row| row.epoch == epoch);
        let later = self.after_first.iter().filter(|row| row.epoch > epoch);
        let fork = later.map(|row| row.fork_position).min();
        Some(fork.filter(|_| known).unwrap_or(0))
    }

    /// Whether a place still stands in the log, by the epoch in which it was given.
    pub(super) fn holds(&self, epoch: u64, position: u64) -> Result<(), u64> {
        match self.shared(epoch) {
            Some(fork) if position > fork => Err(fork),
            _ => Ok(()),
        }
    }

    /// Where somebody has to go back to who is ahead of the log, and does not say of which epoch.
    pub(super) fn fork(&self) -> Option<u64> {
        self.after_first.last().map(|row| row.fork_position)
    }

    /// What a reader of positions is told.
    pub(super) fn forked(&self, owner: &OwnerKey, fork: u64) -> Refusal {
        Refusal::new(
            Code::LogForked,
            format!(
                "The log of {owner} was restored from a backup, and goes on from position {fork} as another one (epoch {}). Take back what you hold from later positions, and go on with after={fork}&epoch={}.",
                self.now, self.now
            ),
        )
        .fact("epoch", self.now)
        .fact("forkPosition", fork)
        .fact(fact::PARAMETER, "after")
    }

    /// What a reader of cursors is told, who is told of no position.
    pub(super) fn forked_cursor(&self, owner: &OwnerKey) -> Refusal {
        Refusal::new(
            Code::LogForked,
            format!(
                "The log of {owner} was restored from a backup, and has gone on as another one since. Begin again with after=0, and remove what does not come any more."
            ),
        )
        .fact("epoch", self.now)
        .fact(fact::PARAMETER, "after")
    }
}

#[cfg(test)]
mod tests {
    use grunddata_model::Instant;

    use super::*;

    #[test]
    fn a_place_stands_up_to_the_first_fork_after_its_epoch() {
        let row = |epoch, fork_position| EpochRow {
            epoch,
            fork_position,
            begun_at: Instant::from_micros(0),
        };
        let epochs = Epochs {
            now: 30,
            after_first: vec![row(10, 100), row(20, 50), row(30, 80)],
        };
        for (epoch, position, holds) in [
            (30, 1_000, Ok(())),
            (20, 80, Ok(())),
            (20, 81, Err(80)),
            (10, 50, Ok(())),
            (10, 51, Err(50)),
            (1, 50, Ok(())),
            (1, 70, Err(50)),
            (15, 1, Err(0)),
            (40, 1, Err(0)),
            (15, 0, Ok(())),
        ] {
            assert_eq!(epochs.holds(epoch, position), holds, "{epoch} {position}");
        }
        assert_eq!(epochs.fork(), Some(80));
    }
}
