//! Reading a file into an empty database: one thread decodes and checks, the calling one writes, in one transaction.

use std::io::BufRead;
use std::sync::mpsc::sync_channel;

use super::insert::Inserting;
use super::parse::{Decoder, Ended};
use super::{LosslessError, LosslessProgress, LosslessSummary};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::store::Store;
use crate::verify::{Finding, Verifier};

/// Batches that wait for the writer.
const WAITING: usize = 2;

impl Store {
    /// Imports a file that [`export_lossless`](Self::export_lossless) wrote into this database, which must be migrated and
    /// empty. With `verify` everything is verified as well before anything becomes visible: it takes as long again.
    ///
    /// Blocks for as long as it takes; everything is one transaction. On SQLite as much free space as the file of the
    /// database will have is needed beside it for the write-ahead log.
    ///
    /// # Errors
    /// [`LosslessError`]; the database is as empty then as before.
    pub fn import_lossless(
        &self,
        input: &mut (dyn BufRead + Send),
        verify: bool,
        progress: &mut dyn FnMut(LosslessProgress),
    ) -> Result<LosslessSummary, LosslessError> {
        let pending = self.pending_migrations()?;
        if !pending.is_empty() {
            return Err(StoreError::NotMigrated(pending).into());
        }
        let mut connection = self.connect()?;
        // Without a commit the connection takes its work back when it is dropped.
        let summary = self.import_on(&mut connection, input, verify, progress)?;
        connection.commit()?;
        if let Connection::Sqlite(_) = connection {
            // The log has grown as large as the database.
            connection.batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        }
        Ok(summary)
    }

    fn import_on(
        &self,
        connection: &mut Connection,
        input: &mut (dyn BufRead + Send),
        verify: bool,
        progress: &mut dyn FnMut(LosslessProgress),
    ) -> Result<LosslessSummary, LosslessError> {
        let model = self.model();
        let mut inserting = Inserting::new(connection, model, (self.engine().options.clock)());
        inserting.begin()?;
        let (sender, receiver) = sync_channel(WAITING);
        let (summary, partial) = std::thread::scope(|scope| {
            let decoding = scope.spawn(move || Decoder::new(input, model, sender).run());
            let mut inserted = Ok(());
            for decoded in receiver {
                inserted = inserting.insert(decoded, progress);
                if inserted.is_err() {
                    break;
                }
            }
            // Nobody listens from here on: the decoding ends.
            match decoding.join() {
                Ok(Ok(Ended::Whole(summary, partial))) => inserted.map(|()| (summary, partial)),
                Ok(Ok(Ended::Unheard)) => Err(inserted.err().unwrap_or_else(|| {
                    StoreError::Unavailable("the import was broken off".into()).into()
                })),
                Ok(Err(error)) => Err(inserted.err().unwrap_or(error)),
                Err(_) => Err(StoreError::Database("the import panicked".into()).into()),
            }
        })?;
        inserting.finish()?;
        if partial && let Some(owner) = inserting.dangling()? {
            return Err(LosslessError::Incomplete(vec![owner]));
        }
        if verify {
            let findings = verified(self, connection, progress, summary.count("record"))?;
            if !findings.is_empty() {
                return Err(LosslessError::Findings(findings));
            }
        }
        Ok(summary)
    }
}

/// Verifies inside the transaction.
fn verified(
    store: &Store,
    connection: &mut Connection,
    progress: &mut dyn FnMut(LosslessProgress),
    of: u64,
) -> Result<Vec<Finding>, StoreError> {
    let (mut before, mut owner) = (0, None);
    let mut last = 0;
    Verifier::new(store.model(), connection).run(&mut |now| {
        if owner.as_ref() != Some(&now.owner) {
            before += last;
            owner = Some(now.owner);
        }
        last = now.records;
        progress(LosslessProgress {
            records: before + now.records,
            of,
            verifying: true,
        });
    })
}
