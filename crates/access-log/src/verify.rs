//! Checking every byte of the log, and that nothing was taken out.

use grunddata_model::Instant;

use crate::archive::{Archive, Head, open_closed};
use crate::error::AccessLogError;
use crate::finding::{Fault, Finding};
use crate::merkle::{CompactRange, Hash};
use crate::segment::walk::Tail;
use crate::series::{Chain, Link, SeriesId, is_live, segment_path, tombstone_path};

/// What to verify. By default: everything.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// One series alone.
    pub series: Option<SeriesId>,
    /// Closed segments whose entries are all older are not read; how the segments follow each other is checked for all.
    pub from: Option<Instant>,
    /// Closed segments whose entries are all of this instant or later are not read.
    pub to: Option<Instant>,
    /// Heads that were kept elsewhere: the series must still lead to them.
    pub heads: Vec<Head>,
}

/// What was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// All that is wrong. What a running writer has not finished is not.
    pub findings: Vec<Finding>,
    /// Entries whose every byte was read.
    pub entries: u64,
    /// Segments that were read.
    pub segments: u64,
}

impl Archive {
    /// Reads the log and tells all that is wrong. A tail that a crash tore off is a finding until the log is opened for
    /// writing again.
    ///
    /// # Errors
    /// When files cannot be read at all. What is wrong in them is no error.
    pub fn verify(&self, scope: &Scope) -> Result<Verification, AccessLogError> {
        let mut verification = Verification::default();
        let chains = self.chains()?;
        for head in &scope.heads {
            let known = chains.iter().any(|chain| chain.series == head.series);
            if !known && scope.series.is_none_or(|series| series == head.series) {
                let path = segment_path(self.directory(), head.series, 0);
                let problem = "the series of a head that was kept is missing";
                verification
                    .findings
                    .push(Finding::new(&path, None, Fault::Missing, problem));
            }
        }
        for chain in chains {
            if scope.series.is_none_or(|series| series == chain.series) {
                self.verify_series(&chain, scope, &mut verification)?;
            }
        }
        Ok(verification)
    }

    fn verify_series(
        &self,
        chain: &Chain,
        scope: &Scope,
        verification: &mut Verification,
    ) -> Result<(), AccessLogError> {
        verification.findings.extend(chain.findings.iter().cloned());
        let live = is_live(self.directory(), chain.series);
        if let Some(path) = &chain.unbegun {
            match self.walk_live(chain.series, path, None) {
                Err(AccessLogError::Damaged(finding)) => {
                    verification.findings.push((*finding).clone())
                }
                Err(AccessLogError::Io { .. }) if !path.exists() => {}
                Err(other) => return Err(other),
                Ok(walked) if walked.tail == Tail::Torn && !live => {
                    verification.findings.push(Finding::new(
                        path,
                        0,
                        Fault::TornTail,
                        "the segment ends before its first batch does",
                    ));
                }
                Ok(_) => {}
            }
        }
        // The tree as the tombstones leave it.
        let mut tree = CompactRange::new(0);
        for stone in &chain.removed {
            let piece = stone.footer.compact_range();
            let fits = piece.is_some_and(|piece| tree.append(&piece))
                && tree.root() == Some(stone.footer.root);
            if !fits {
                let path = tombstone_path(self.directory(), chain.series);
                let problem = format!(
                    "the roots of the tombstones of entry {} and before do not fit",
                    stone.footer.first
                );
                verification.findings.push(Finding::new(
                    &path,
                    None,
                    Fault::Contradiction,
                    problem,
                ));
                break;
            }
        }
        for link in &chain.links {
            // Between the removal's tombstone and its end a segment is there twice; the tree knows it already.
            let removed = chain
                .removed
                .iter()
                .any(|stone| stone.footer.ordinal == link.ordinal);
            let wanted = match open_closed(&link.path) {
                Ok(Some((_, footer))) => {
                    scope.from.is_none_or(|from| footer.to >= from.micros())
                        && scope.to.is_none_or(|to| footer.from < to.micros())
                }
                Ok(None) => true,
                Err(AccessLogError::Io { .. }) if !link.path.exists() => continue,
                Err(other) => return Err(other),
            };
            if wanted {
                self.verify_segment(chain.series, link, live, verification)?;
            }
            if !removed {
                self.verify_link(chain, link, verification);
            }
        }
        for head in scope
            .heads
            .iter()
            .filter(|head| head.series == chain.series)
        {
            self.verify_head(chain, head, verification)?;
        }
        Ok(())
    }

    fn verify_segment(
        &self,
        series: SeriesId,
        link: &Link,
        live: bool,
        verification: &mut Verification,
    ) -> Result<(), AccessLogError> {
        let next = link.next.as_ref().map(|(next, _)| next);
        match self.walk_live(series, &link.path, next) {
            Err(AccessLogError::Damaged(finding)) => {
                verification.findings.push((*finding).clone());
                return Ok(());
            }
            Err(other) => return Err(other),
            Ok(walked) => {
                let bytes = walked
                    .contents
                    .as_ref()
                    .map_or(0, |contents| contents.bytes());
                verification.segments += 1;
                verification.entries += walked
                    .contents
                    .as_ref()
                    .map_or(0, |contents| contents.leaves().len() as u64);
                // While the series is written this is a batch that is not finished, or what is left of a segment that was
                // given up after a failed write.
                if walked.tail == Tail::Torn && !live {
                    let problem = "the segment ends in a batch that is not whole: opening the log cuts it off";
                    verification.findings.push(Finding::new(
                        &link.path,
                        bytes,
                        Fault::TornTail,
                        problem,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether the segment begins where the one before it ended.
    fn verify_link(&self, chain: &Chain, link: &Link, verification: &mut Verification) {
        let mut wrong = |problem: &str| {
            verification
                .findings
                .push(Finding::new(&link.path, 0, Fault::Contradiction, problem));
        };
        let tree = match crate::segment::reader::read_header(&link.path) {
            Ok(Some(header)) => header.tree(),
            // Found already.
            Ok(None) | Err(_) => return,
        };
        let begins_with: Option<Hash> = tree.and_then(|tree| tree.root());
        match &link.previous {
            Some(previous) if begins_with != Some(previous.root) => {
                wrong("the tree that the segment begins with is not the one that it continues");
            }
            None if link.first != 0 => wrong("the segment is not the first, but continues none"),
            _ => {}
        }
        if let Some((next, first)) = &link.next
            && let Ok(Some((_, footer))) = open_closed(&link.path)
            && (footer.root != next.root
                || footer.first + footer.count != *first
                || footer.series != chain.series)
        {
            wrong("the next segment does not continue this one");
        }
    }

    fn verify_head(
        &self,
        chain: &Chain,
        head: &Head,
        verification: &mut Verification,
    ) -> Result<(), AccessLogError> {
        if head.size == 0 {
            return Ok(());
        }
        let place = chain.links.last().map_or_else(
            || tombstone_path(self.directory(), chain.series),
            |link| link.path.clone(),
        );
        let proof = self.consistency_proof(chain.series, head.size, head.size);
        let (fault, problem) = match proof {
            Ok(proof) if proof.to.root == head.root => return Ok(()),
            Ok(_) => (
                Fault::Contradiction,
                "the entries do not lead to the head that was kept".to_owned(),
            ),
            Err(AccessLogError::OutOfRange { size, .. }) => (
                Fault::Missing,
                format!(
                    "a head of {} entries was kept, but there are {size}",
                    head.size
                ),
            ),
            // A head inside a removed segment can no longer be computed.
            Err(AccessLogError::Removed { .. }) => return Ok(()),
            // Found already, where it is.
            Err(AccessLogError::Damaged(_)) => return Ok(()),
            Err(other) => return Err(other),
        };
        verification
            .findings
            .push(Finding::new(&place, None, fault, problem));
        Ok(())
    }
}
