//! Packages of the information model that came from peers. They are kept here, so that every process on the database can read
//! the records that came with them, after a restart too ([ADR 0021](../../../docs/adr)).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diesel::sql_types::Text;
use grunddata_information_model::Package;
use grunddata_model::Instant;

use crate::connection::Purpose;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::Moment;
use crate::store::Store;

impl Store {
    /// Keeps packages from a registry, and loads them together with those that are there. Whether any is new. Nothing is kept when
    /// they cannot be loaded.
    ///
    /// # Errors
    /// [`StoreError::Package`] with what is wrong with it; [`StoreError`] of the database.
    pub fn install_packages(
        &self,
        packages: &[Package],
        url: &str,
        now: Instant,
    ) -> Result<bool, StoreError> {
        self.load_packages()?;
        let wrong = |problem: String| StoreError::Package(problem);
        let new = self
            .model()
            .install(packages.to_vec())
            .map_err(|error| wrong(error.to_string()))?;
        for package in packages {
            // Also what was loaded already: it may not have been kept then.
            let known = self.model().package(package.model_version());
            if known.is_some_and(Package::is_foreign) {
                self.keep_package(package, url, now)?;
            }
        }
        Ok(new)
    }

    fn keep_package(&self, package: &Package, url: &str, now: Instant) -> Result<(), StoreError> {
        let wrong = |problem: String| StoreError::Package(problem);
        let files: BTreeMap<&str, String> = package
            .files()
            .map(|(path, content)| (path, STANDARD.encode(content)))
            .collect();
        let files = serde_json::to_string(&files).map_err(|error| wrong(error.to_string()))?;
        let mut sql = Sql::<()>::new(
            "INSERT INTO model_package (name, version, digest, files, url, installed_at) VALUES ",
        );
        sql.values([vec![
            Bind::Text(package.name().into()),
            Bind::Text(package.version().to_string().into()),
            Bind::Text(package.digest().into()),
            Bind::Text(files.into()),
            Bind::Text(url.into()),
            Bind::Moment(Moment(now)),
        ]])
        .push(" ON CONFLICT DO NOTHING");
        let mut connection = self.connect_for(Purpose::Write)?;
        connection.execute(&sql)?;
        let mut sql = Sql::<(Text,)>::new("SELECT m.digest FROM model_package m WHERE m.name = ");
        sql.text(package.name())
            .push(" AND m.version = ")
            .text(package.version().to_string());
        let kept: Option<(String,)> = connection.first(&sql)?;
        if kept.is_none_or(|(digest,)| digest != package.digest()) {
            return Err(wrong(format!(
                "{}: another process has got other content under this name and version",
                package.model_version()
            )));
        }
        Ok(())
    }

    /// Loads the packages that are kept and not loaded yet: those that another process has got. Whether there were any.
    ///
    /// # Errors
    /// [`StoreError::Package`] when one cannot be loaded, [`StoreError`] of the database.
    pub fn load_packages(&self) -> Result<bool, StoreError> {
        let sql = Sql::<(Text, Text)>::new("SELECT m.name, m.version FROM model_package m");
        let kept: Vec<(String, String)> = self.read(|reader| reader.connection.load(&sql))?;
        let model = self.model();
        let missing: Vec<(String, String)> = kept
            .into_iter()
            .filter(|(name, version)| {
                !model
                    .packages()
                    .any(|known| known.name() == name && known.version().to_string() == *version)
            })
            .collect();
        if missing.is_empty() {
            return Ok(false);
        }
        let mut packages = Vec::with_capacity(missing.len());
        for (name, version) in missing {
            let mut sql =
                Sql::<(Text,)>::new("SELECT m.files FROM model_package m WHERE m.name = ");
            sql.text(name.as_str())
                .push(" AND m.version = ")
                .text(version.as_str());
            let found: Option<(String,)> = self.read(|reader| reader.connection.first(&sql))?;
            if let Some((files,)) = found {
                packages.push(unpacked(&format!("{name}/{version}"), &files)?);
            }
        }
        model
            .install(packages)
            .map_err(|error| StoreError::Package(error.to_string()))
    }
}

fn unpacked(name: &str, files: &str) -> Result<Package, StoreError> {
    let wrong = || StoreError::disagrees(format!("the files of the package {name}"));
    let files: BTreeMap<String, String> = serde_json::from_str(files).map_err(|_| wrong())?;
    let files = files
        .into_iter()
        .map(|(path, content)| Ok((path, STANDARD.decode(content).map_err(|_| wrong())?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    Package::from_files(name, files).map_err(|error| StoreError::Package(error.to_string()))
}
