//! Which owners are copies, and how far each is: asked at every read, and so kept in memory. The process that follows keeps
//! it as it commits; others look each second or so.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{PeerRow, Reader, StoreError};

use crate::registry::refuse_store;
use crate::{Refusal, Registry};

/// How far the copy of an owner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The address of the registry that it is copied from.
    pub of: Arc<str>,
    /// Whether everything of it is copied.
    pub whole: bool,
    /// The position of the last change that came.
    pub position: u64,
    /// When the origin recorded it; `None` = nothing has come yet.
    pub complete_to: Option<Instant>,
    /// When it came here.
    pub received_at: Option<Instant>,
    /// When the origin last said that there was nothing more.
    pub heard_at: Option<Instant>,
}

/// The owners that are copies.
pub type Copies = BTreeMap<OwnerKey, Copied>;

fn copied(row: &PeerRow) -> Copied {
    Copied {
        of: row.url.as_str().into(),
        whole: row.whole,
        position: row.position,
        complete_to: row.complete_at,
        received_at: row.received_at,
        heard_at: row.heard_at,
    }
}

impl Registry {
    /// The owners that are copies, as this process last heard.
    ///
    /// # Errors
    /// [`Refusal`] of the store, the first time.
    pub fn copies(&self) -> Result<Arc<Copies>, Refusal> {
        self.inner
            .store
            .read(|reader| self.copies_with(reader))
            .map_err(refuse_store)
    }

    pub(crate) fn copies_with(&self, reader: &mut Reader<'_>) -> Result<Arc<Copies>, StoreError> {
        if let Some(kept) = self.kept_copies() {
            return Ok(kept);
        }
        self.read_copies(reader)
    }

    /// What is kept; `None` before it was first asked for.
    pub(crate) fn kept_copies(&self) -> Option<Arc<Copies>> {
        let kept = self.inner.copies.read();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again which owners are copies.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn refresh_copies(&self) -> Result<Arc<Copies>, Refusal> {
        self.inner
            .store
            .read(|reader| self.read_copies(reader))
            .map_err(refuse_store)
    }

    fn read_copies(&self, reader: &mut Reader<'_>) -> Result<Arc<Copies>, StoreError> {
        let rows = reader.peers()?;
        let copies: Copies = rows
            .iter()
            .map(|row| (row.owner.clone(), copied(row)))
            .collect();
        let copies = Arc::new(copies);
        let mut kept = self
            .inner
            .copies
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = Some(Arc::clone(&copies));
        Ok(copies)
    }

    /// Takes note of how far a copy is that this process has just written to.
    pub fn note_copied(&self, row: &PeerRow) {
        let mut kept = self
            .inner
            .copies
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_mut() {
            Arc::make_mut(kept).insert(row.owner.clone(), copied(row));
        }
    }
}
