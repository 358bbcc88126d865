//! Packages of the information model that a peer has and that are missing here: they come before the records that need them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_information_model::{InformationModel, Package};
use grunddata_pull::{Peer as Remote, PeerModel};
use grunddata_registry::Registry;
use grunddata_store::CopyError;

/// The most packages that come for one record, with those that they depend on.
const MOST: usize = 20;

/// Makes sure that what a record names (`grunddata/1.0.0+own/0.2.0`) means the same here as at the peer. What is not here is
/// fetched and installed where that is wanted, with what it depends on. Whether anything is new.
///
/// # Errors
/// [`CopyError::Package`] with why it cannot be; [`CopyError::Model`] when it is not here and not wanted from there.
pub(super) fn admit(
    registry: &Registry,
    remote: &Remote,
    url: &str,
    model: &str,
    wanted_from_there: bool,
) -> Result<bool, CopyError> {
    let failed = |why: String| CopyError::Package {
        model: model.to_owned(),
        why,
    };
    let store = registry.store();
    // Another process may have got it already.
    store
        .load_packages()
        .map_err(|error| failed(error.to_string()))?;
    let listed = remote.models().map_err(|error| failed(error.to_string()))?;
    let here = store.model();
    let mut wanted: Vec<String> = model.split('+').map(str::to_owned).collect();
    let (mut got, mut seen) = (Vec::new(), BTreeSet::new());
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(digest) = loaded(here, &name) {
            let theirs = listed.iter().find(|known| named(known) == name);
            if theirs.is_some_and(|theirs| theirs.digest != digest) {
                return Err(failed(format!(
                    "{name} has other content here; a published package never changes, so one of the two needs a new version"
                )));
            }
            continue;
        }
        if !wanted_from_there {
            return Err(CopyError::Model(model.to_owned()));
        }
        if got.len() == MOST {
            return Err(failed(format!("it depends on more than {MOST} packages")));
        }
        let Some(known) = listed.iter().find(|known| named(known) == name) else {
            return Err(failed(format!("the peer does not have {name} itself")));
        };
        let package = one(remote, known).map_err(failed)?;
        for (dependency, required) in &package.manifest().depends_on {
            let matches = |version: &str| version.parse().is_ok_and(|v| required.matches(&v));
            let is_here = here
                .packages()
                .chain(&got)
                .any(|other| other.name() == dependency && required.matches(other.version()));
            let newest = listed
                .iter()
                .filter(|other| other.name == *dependency && matches(&other.version))
                .max_by_key(|other| other.version.parse::<semver::Version>().ok());
            if let (false, Some(newest)) = (is_here, newest) {
                wanted.push(named(newest));
            }
        }
        got.push(package);
    }
    let new = store
        .install_packages(&got, url, registry.now())
        .map_err(|error| failed(error.to_string()))?;
    if new {
        for package in &got {
            tracing::info!(
                package = %package.model_version(),
                digest = package.digest(),
                url,
                "a package of the information model has come from a peer"
            );
        }
    }
    Ok(new)
}

fn named(model: &PeerModel) -> String {
    format!("{}/{}", model.name, model.version)
}

/// The digest of a package that is here.
fn loaded(model: &InformationModel, name: &str) -> Option<String> {
    let mut packages = model.packages();
    let found = packages.find(|package| package.model_version().to_string() == name)?;
    Some(found.digest().to_owned())
}

fn one(remote: &Remote, known: &PeerModel) -> Result<Package, String> {
    let name = named(known);
    let found = remote.package(&name).map_err(|error| error.to_string())?;
    let files = found
        .files
        .into_iter()
        .map(|(path, content)| {
            let content = STANDARD
                .decode(content)
                .map_err(|_| format!("the file {path} of {name} is no base64"))?;
            Ok((path, content))
        })
        .collect::<Result<Vec<_>, String>>()?;
    let package = Package::from_files(&name, files).map_err(|error| error.to_string())?;
    if package.digest() != known.digest || package.digest() != found.digest {
        return Err(format!(
            "the files of {name} do not have the digest that the peer lists"
        ));
    }
    Ok(package)
}
