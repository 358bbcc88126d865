//! Opening the database: the composition root's clock, information model, store and registry.

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use grunddata_information_model::InformationModel;
use grunddata_model::Instant;
use grunddata_registry::{Limits, Registry};
use grunddata_store::{Clock, Store, StoreOptions};

use crate::failure::{Failure, Kind};
use crate::output::note;
use crate::settings::Settings;

/// The real clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the composition root, which alone reads the clock"
)]
pub(crate) fn clock() -> Clock {
    Arc::new(|| Instant::from(Utc::now()))
}

/// The built-in information model with the further packages.
pub(crate) fn model(directories: &[std::path::PathBuf]) -> Result<InformationModel, Failure> {
    let model = if directories.is_empty() {
        InformationModel::embedded()
    } else {
        InformationModel::load(directories)
    };
    model.map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("the information model cannot be loaded: {error}"),
        )
    })
}

/// Opens the database, which need not have its tables yet. Makes the data directory of the embedded one.
pub(crate) fn open_any(settings: &Settings, clock: Clock) -> Result<Registry, Failure> {
    let options = settings.store_options(Arc::clone(&clock));
    open_with(settings, options, clock)
}

/// The same with a clock that is moved on purpose, by years at a time.
pub(crate) fn open_moved(settings: &Settings, clock: Clock) -> Result<Registry, Failure> {
    let mut options = settings.store_options(Arc::clone(&clock));
    options.clock_jump_limit = None;
    open_with(settings, options, clock)
}

fn open_with(
    settings: &Settings,
    options: StoreOptions,
    clock: Clock,
) -> Result<Registry, Failure> {
    if settings.is_embedded() {
        make_directory(&settings.data)?;
    }
    let model = model(&settings.models)?;
    let store = Store::open(options, model.clone())?;
    // What came from peers is kept in the database, once it has its tables.
    if store.pending_migrations()?.is_empty() {
        store.load_packages()?;
        for (package, why) in store.set_aside() {
            note(format!(
                "The package {package} of the information model, which came from a peer, is set aside: {why}. Records that name it cannot be read. `grunddata model list` tells more."
            ));
        }
    }
    Ok(Registry::new(store, model, clock, Limits::default()))
}

/// Opens a database that has its tables.
pub(crate) fn open(settings: &Settings) -> Result<Registry, Failure> {
    let path = settings.database();
    if settings.is_embedded() && !Path::new(&path).exists() {
        return Err(Failure::new(Kind::NotMigrated, format!("there is no database {path}")).cure(
            "Run `grunddata migrate` to make one, `grunddata demo` for one with data, or say where it is with --data or --database.",
        ));
    }
    let registry = open_any(settings, clock())?;
    let pending = registry.store().pending_migrations()?;
    if pending.is_empty() {
        Ok(registry)
    } else {
        Err(grunddata_store::StoreError::NotMigrated(pending).into())
    }
}

/// Makes a directory and tells whether it can be written, before the database says so in its own words.
pub(crate) fn make_directory(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory).map_err(|error| Failure::write(directory, &error))?;
    let probe = directory.join(".grunddata-writable");
    std::fs::write(&probe, b"").map_err(|error| Failure::write(directory, &error))?;
    drop(std::fs::remove_file(&probe));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Global;

    #[test]
    fn a_data_directory_that_cannot_be_made_is_a_failure_with_a_cure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let failure = make_directory(&file.join("data")).unwrap_err();
        assert_eq!(failure.kind(), Kind::Write);
        assert!(failure.to_string().contains("--data"), "{failure}");
    }

    #[test]
    fn a_database_that_is_not_there_or_has_no_tables_is_told_apart_and_a_migration_cures_both() {
        let directory = tempfile::tempdir().unwrap();
        let global = Global {
            data: Some(directory.path().join("data")),
            ..Global::default()
        };
        let settings = Settings::from_sources(&global, []).unwrap();
        let failure = open(&settings).err().unwrap();
        assert_eq!(failure.kind(), Kind::NotMigrated);
        assert!(
            failure.to_string().contains("there is no database"),
            "{failure}"
        );

        let registry = open_any(&settings, clock()).unwrap();
        registry.store().pending_migrations().unwrap();
        let failure = open(&settings).err().unwrap();
        assert_eq!(failure.kind(), Kind::NotMigrated);
        assert!(!registry.store().migrate().unwrap().is_empty());
        assert!(open(&settings).is_ok());
    }
}
