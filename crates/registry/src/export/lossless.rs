//! A whole installation, or some owners, as a file that another installation is rebuilt from: for administrators of all that
//! is in it as a whole, as everything is, whatever the protection.

use std::io::{BufRead, Write};

use grunddata_store::{LosslessError, LosslessProgress, LosslessSummary, OwnerSet};
use serde_json::json;

use crate::registry::refuse_store;
use crate::{Action, Code, Context, Refusal, Registry};

impl Registry {
    /// Writes the owners, or everything with tokens and grants, as they are at one moment. Blocks; what is written is
    /// ended by its own checksum.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer each of the owners as a whole, or the whole registry where
    /// everything is asked for; [`Code::InvalidParameter`] when the owners refer to others that are not among them, or
    /// when `out` fails; [`Code::UnknownOwner`].
    pub fn export_lossless(
        &self,
        context: &Context,
        owners: &OwnerSet,
        out: &mut (dyn Write + '_),
        progress: &mut dyn FnMut(LosslessProgress),
    ) -> Result<LosslessSummary, Refusal> {
        let whose = self.note_lossless(context, owners)?;
        context.disclosed.acted(whose, json!({}));
        let summary = self
            .inner
            .store
            .export_lossless(owners, out, progress)
            .map_err(|error| match error {
                // Which others there are is for those who see all of them.
                LosslessError::Incomplete(_)
                    if !context.actor.may_for_everything(Action::Administer) =>
                {
                    Refusal::new(
                        Code::InvalidParameter,
                        "The owners refer to records of others that are not among them: a file without those could not be read. Ask an administrator of the whole registry.",
                    )
                }
                error => refused(error),
            })?;
        context.disclosed.acted(
            [],
            json!({"counts": summary.counts, "sha256": summary.sha256}),
        );
        Ok(summary)
    }

    /// Reads a file that [`export_lossless`](Self::export_lossless) wrote into this registry, which must be empty. With
    /// `verify` everything is verified before anything becomes visible. Blocks.
    ///
    /// # Errors
    /// [`Code::Forbidden`]; [`Code::InvalidParameter`] when the registry is not empty or the file is not whole: nothing
    /// was imported then.
    pub fn import_lossless(
        &self,
        context: &Context,
        input: &mut (dyn BufRead + Send),
        verify: bool,
        progress: &mut dyn FnMut(LosslessProgress),
    ) -> Result<LosslessSummary, Refusal> {
        self.note_lossless(context, &OwnerSet::All)?;
        let summary = self
            .inner
            .store
            .import_lossless(input, verify, progress)
            .map_err(refused)?;
        self.inner.visibilities.forget();
        let owners = self.inner.store.owners().map_err(refuse_store)?;
        context.disclosed.acted(
            owners.into_iter().map(|owner| owner.key),
            json!({"counts": summary.counts, "sha256": summary.sha256}),
        );
        Ok(summary)
    }

    /// Whom it is about, if the actor may.
    fn note_lossless(
        &self,
        context: &Context,
        owners: &OwnerSet,
    ) -> Result<Vec<grunddata_model::OwnerKey>, Refusal> {
        let actor = &context.actor;
        let may = match owners {
            OwnerSet::All => actor.may_for_everything(Action::Administer),
            OwnerSet::Some(owners) => owners
                .iter()
                .all(|owner| actor.may_for_whole(Action::Administer, owner)),
        };
        if !may {
            return Err(Refusal::new(
                Code::Forbidden,
                "A lossless file holds everything, whatever its protection: it is for administrators of the whole registry, and of single owners for those who administer all of each, protected persons included.",
            ));
        }
        Ok(match owners {
            OwnerSet::Some(owners) => owners.iter().cloned().collect(),
            OwnerSet::All => {
                let all = self.inner.store.owners().map_err(refuse_store)?;
                all.into_iter().map(|owner| owner.key).collect()
            }
        })
    }
}

fn refused(error: LosslessError) -> Refusal {
    match error {
        LosslessError::Store(error @ grunddata_store::StoreError::Disagrees { .. })
        | LosslessError::Store(error @ grunddata_store::StoreError::Duplicate(_)) => {
            tracing::error!(%error, "a lossless file contradicts itself");
            Refusal::new(
                Code::InvalidParameter,
                format!(
                    "What the file holds contradicts itself, and nothing was imported: {error}."
                ),
            )
        }
        LosslessError::Store(error) => refuse_store(error),
        error => Refusal::new(Code::InvalidParameter, format!("{error}.")),
    }
}
