//! Packages of the information model that came from peers. They are kept here, so that every process on the database can read
//! the records that came with them, after a restart too ([ADR 0021](../../../docs/adr)).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diesel::sql_types::{Integer, Text};
use grunddata_information_model::Package;
use grunddata_model::{Instant, ModelVersion};

use crate::connection::Purpose;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Moment, SqlMoment};
use crate::store::Store;

/// A package of the information model that came from a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPackage {
    /// Its name and version.
    pub package: ModelVersion,
    /// SHA-256 over its files, in hexadecimal.
    pub digest: String,
    /// The address of the registry from which it came.
    pub url: String,
    /// When it came.
    pub installed_at: Instant,
}

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

    /// Loads the packages that are kept and not loaded yet: those that another process has got. Whether there were any. One
    /// that cannot be loaded, because it clashes with what this program has, is [set aside](Self::set_aside): everything but
    /// the records that name it goes on.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn load_packages(&self) -> Result<bool, StoreError> {
        let mut aside: BTreeMap<ModelVersion, String> = BTreeMap::new();
        let mut missing: Vec<(ModelVersion, String)> = Vec::new();
        for kept in self.kept_packages()? {
            match self.model().package(&kept.package) {
                Some(known) if known.digest() == kept.digest => {}
                Some(_) => {
                    let why =
                        "this program has a package with other content under this name and version";
                    aside.insert(kept.package, why.to_owned());
                }
                None => missing.push((kept.package, kept.digest)),
            }
        }
        let known = self.set_aside();
        // What has been tried is not tried again until there is something else.
        if missing
            .iter()
            .all(|(package, _)| known.contains_key(package))
        {
            let tried = missing.into_iter().filter_map(|(package, _)| {
                let why = known.get(&package)?.clone();
                Some((package, why))
            });
            aside.extend(tried);
            self.put_aside(&known, aside);
            return Ok(false);
        }
        let mut packages = Vec::with_capacity(missing.len());
        for (package, _) in missing {
            let mut sql =
                Sql::<(Text,)>::new("SELECT m.files FROM model_package m WHERE m.name = ");
            sql.text(package.name.to_string())
                .push(" AND m.version = ")
                .text(package.version.to_string());
            let found: Option<(String,)> = self.read(|reader| reader.connection.first(&sql))?;
            let Some((files,)) = found else { continue };
            match unpacked(&package.to_string(), &files) {
                Ok(found) => packages.push(found),
                Err(error) => drop(aside.insert(package, error.to_string())),
            }
        }
        let new = match self.model().install(packages.clone()) {
            Ok(new) => new,
            Err(_) => self.install_some(packages, &mut aside),
        };
        self.put_aside(&known, aside);
        Ok(new)
    }

    /// Installs those that can be, one by one: each may need one that comes after it. Whether there were any.
    fn install_some(
        &self,
        mut packages: Vec<Package>,
        aside: &mut BTreeMap<ModelVersion, String>,
    ) -> bool {
        let mut new = false;
        loop {
            let before = packages.len();
            let mut rest = Vec::new();
            for package in packages {
                match self.model().install(vec![package.clone()]) {
                    Ok(one) => new |= one,
                    Err(error) => rest.push((package, error.to_string())),
                }
            }
            if rest.len() == before || rest.is_empty() {
                let named = rest.into_iter();
                aside.extend(named.map(|(package, why)| (package.model_version().clone(), why)));
                return new;
            }
            packages = rest.into_iter().map(|(package, _)| package).collect();
        }
    }

    fn put_aside(
        &self,
        known: &BTreeMap<ModelVersion, String>,
        aside: BTreeMap<ModelVersion, String>,
    ) {
        for (package, why) in &aside {
            if !known.contains_key(package) {
                tracing::error!(%package, why, "a package of the information model that came from a peer is set aside: records that name it cannot be read. `grunddata model list` tells more");
            }
        }
        *self.engine().aside.lock() = aside;
    }

    /// The packages that are kept and cannot be used by this program, and why, as far as they have been tried.
    #[must_use]
    pub fn set_aside(&self) -> BTreeMap<ModelVersion, String> {
        self.engine().aside.lock().clone()
    }

    /// The packages from peers that are kept, by name and version.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn kept_packages(&self) -> Result<Vec<KeptPackage>, StoreError> {
        let sql = Sql::<(Text, Text, Text, Text, SqlMoment)>::new(
            "SELECT m.name, m.version, m.digest, m.url, m.installed_at FROM model_package m ORDER BY m.name, m.version",
        );
        type Parts = (String, String, String, String, Moment);
        let rows: Vec<Parts> = self.read(|reader| reader.connection.load(&sql))?;
        rows.into_iter()
            .map(|(name, version, digest, url, installed_at)| {
                let package = ModelVersion::new(&name, &version)
                    .map_err(|_| StoreError::disagrees("the name of a package"))?;
                Ok(KeptPackage {
                    package,
                    digest,
                    url,
                    installed_at: installed_at.0,
                })
            })
            .collect()
    }

    /// Whether a stored state is in a release of the model that a package is part of. Looks through the states.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn names_package(&self, package: &ModelVersion) -> Result<bool, StoreError> {
        let mut sql =
            Sql::<(Integer,)>::new("SELECT 1 FROM state s WHERE ('+' || s.model || '+') LIKE ");
        sql.text(format!("%+{package}+%")).push(" LIMIT 1");
        let found: Option<(i32,)> = self.read_at_length(|reader| reader.connection.first(&sql))?;
        Ok(found.is_some())
    }

    /// Keeps a package from a peer no more. Processes that have loaded it use it until they end. Whether it was kept.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn forget_package(&self, package: &ModelVersion) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new("DELETE FROM model_package WHERE name = ");
        sql.text(package.name.to_string())
            .push(" AND version = ")
            .text(package.version.to_string());
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
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
