//! The leaves of a batch, made while its rows are computed, and the tree that has grown over them.

use std::collections::HashMap;
use std::time::{Duration, Instant as Stopwatch};

use grunddata_information_model::Resolved;
use grunddata_log_proof::entry::{Opening, Secret, leaf};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{Instant, OwnerKey, Timeline};

use super::content::{Facts, contents_of};
use super::frontier::{Frontier, Node};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::write::StagedWrite;

/// Secrets that are asked of the operating system at once.
const AT_ONCE: usize = 128;

/// Leaves that another registry has made, and what opens them, by position: of copies. Without the second the entry leads to
/// something that is not shown to who copies, so that not all is here that the leaf commits to: it is taken as it is.
pub(crate) type Given = HashMap<i64, (Hash, Option<Opening>)>;

/// Makes leaves.
pub(crate) struct Leaves<'a> {
    owner: &'a str,
    given: &'a Given,
    writes: usize,
    random: Vec<[u8; 32]>,
    made: Vec<(i64, Hash)>,
    spent: Duration,
}

impl<'a> Leaves<'a> {
    /// For so many writes of an owner.
    pub(crate) fn new(owner: &'a str, writes: usize, given: &'a Given) -> Self {
        Self {
            owner,
            given,
            writes,
            random: Vec::new(),
            made: Vec::with_capacity(writes),
            spent: Duration::ZERO,
        }
    }

    /// The leaf of a write, and what opens it, as they are stored.
    pub(crate) fn make(
        &mut self,
        write: &StagedWrite,
        version: i32,
        position: i64,
        instant: Instant,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        let facts = Facts {
            record: write.id,
            domain: write.domain.as_str(),
            operation: write.operation.as_str(),
            version: u32::try_from(version).unwrap_or_default(),
            recorded_at: instant,
            transaction: write.transaction,
            change_kind: write.change_kind.as_str(),
            corrects: write.corrects,
            actor: &write.actor,
            reason: write.reason.as_deref(),
            source: write.source.as_deref(),
            touched: write.touched,
        };
        self.make_of(&facts, &write.after, position)
    }

    /// The same of any entry, with what was believed after it.
    pub(crate) fn make_of(
        &mut self,
        facts: &Facts<'_>,
        timeline: &Timeline<Resolved>,
        position: i64,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        let begun = Stopwatch::now();
        if let Some((leaf, None)) = self.given.get(&position) {
            self.made.push((position, *leaf));
            return Ok((leaf.0.to_vec(), None));
        }
        let states = timeline.states().iter();
        let contents = contents_of(facts, states.map(|state| (state.period, &state.value)))?;
        let given = self.given.get(&position);
        let opening = match given {
            Some((_, Some(opening))) => opening.clone(),
            _ => Opening::Whole(secret(
                &mut self.random,
                self.writes.saturating_sub(self.made.len()),
            )?),
        };
        let number = u64::try_from(position).unwrap_or_default();
        let leaf = leaf(self.owner, number, &opening.commitments(&contents));
        // What cannot be opened says nothing, or it could say anything.
        if given.is_some_and(|(said, _)| *said != leaf || !opening.is_silent_where_bare(&contents))
        {
            return Err(StoreError::disagrees(format!(
                "position {position} of {} is not what its leaf commits to",
                self.owner
            )));
        }
        self.made.push((position, leaf));
        let stored = (leaf.0.to_vec(), Some(opening.to_bytes()));
        self.spent += begun.elapsed();
        Ok(stored)
    }

    /// The leaves in the order of their positions, added to the tree, where that had grown over everything before them.
    /// Else they wait for it. What the leaves have taken is noted in the tree.
    pub(crate) fn add_to(mut self, frontier: &mut Frontier, position: i64) -> Vec<Node> {
        let begun = Stopwatch::now();
        let mut nodes = Vec::new();
        if i64::try_from(frontier.size()).ok() == Some(position) {
            self.made.sort_unstable_by_key(|(position, _)| *position);
            for (_, leaf) in self.made {
                frontier.push(leaf, &mut nodes);
            }
        }
        frontier.spent += self.spent + begun.elapsed();
        nodes
    }
}

/// The next random secret; some are asked for at once.
pub(crate) fn secret(random: &mut Vec<[u8; 32]>, more: usize) -> Result<Secret, StoreError> {
    if random.is_empty() {
        let mut bytes = vec![0; 32 * more.clamp(1, AT_ONCE)];
        getrandom::fill(&mut bytes).map_err(|error| {
            StoreError::Unavailable(format!("the system gives no random bytes: {error}").into())
        })?;
        random.extend(bytes.as_chunks::<32>().0);
    }
    random
        .pop()
        .map(Secret)
        .ok_or_else(|| StoreError::Unavailable("no random bytes".into()))
}

/// Writes the nodes that are complete.
pub(crate) fn save(
    connection: &mut Connection,
    owner: &OwnerKey,
    nodes: &[Node],
) -> Result<(), StoreError> {
    for node in nodes {
        let mut sql = Sql::<()>::new("INSERT INTO log_node (owner, level, number, hash) VALUES ");
        sql.values([vec![
            Bind::Text(owner.as_str().into()),
            Bind::Small(i16::try_from(node.level).unwrap_or(i16::MAX)),
            Bind::Big(i64::try_from(node.number).unwrap_or(i64::MAX)),
            Bind::Bytes(node.hash.0.as_slice().into()),
        ]]);
        connection.execute(&sql)?;
    }
    Ok(())
}
