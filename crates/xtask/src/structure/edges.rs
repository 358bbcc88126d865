//! Which crate may depend on which (ARCHITECTURE.md, Crates).

use cargo_metadata::{DependencyKind, Metadata};

/// Crates of ours that each of ours may name. A crate that is not listed is a finding: a new crate gets
/// its place here and in ARCHITECTURE.md first.
const OURS: &[(&str, &[&str])] = &[
    ("grunddata-model", &[]),
    // Whoever verifies needs nothing else of ours.
    ("grunddata-log-proof", &[]),
    (
        "grunddata-access-log",
        &["grunddata-model", "grunddata-log-proof"],
    ),
    ("grunddata-information-model", &["grunddata-model"]),
    // The store knows the information model for `Resolved` alone, so that nothing unvalidated can be stored.
    (
        "grunddata-store",
        &[
            "grunddata-model",
            "grunddata-information-model",
            "grunddata-log-proof",
        ],
    ),
    (
        "grunddata-registry",
        &[
            "grunddata-model",
            "grunddata-log-proof",
            "grunddata-information-model",
            "grunddata-store",
        ],
    ),
    // Knows nothing of records: it says where requests may go, and sends them there.
    ("grunddata-reach", &[]),
    (
        "grunddata-identity",
        &["grunddata-model", "grunddata-reach"],
    ),
    ("grunddata-exchange", &["grunddata-model"]),
    // Knows nothing of records: it brings files.
    ("grunddata-pull", &["grunddata-reach"]),
    (
        "grunddata-web",
        &[
            "grunddata-model",
            "grunddata-information-model",
            "grunddata-registry",
        ],
    ),
    (
        "grunddata-graphql",
        &[
            "grunddata-model",
            "grunddata-information-model",
            "grunddata-registry",
        ],
    ),
    (
        "grunddata-seeds",
        &[
            "grunddata-model",
            "grunddata-information-model",
            "grunddata-store",
            "grunddata-registry",
        ],
    ),
    (
        "grunddata-server",
        &[
            "grunddata-model",
            "grunddata-information-model",
            "grunddata-store",
            "grunddata-registry",
            "grunddata-log-proof",
            "grunddata-access-log",
            "grunddata-identity",
            "grunddata-exchange",
            "grunddata-pull",
            "grunddata-reach",
            "grunddata-web",
            "grunddata-graphql",
            "grunddata-client",
        ],
    ),
    (
        "grunddata",
        &[
            "grunddata-model",
            "grunddata-information-model",
            "grunddata-store",
            "grunddata-log-proof",
            "grunddata-access-log",
            "grunddata-registry",
            "grunddata-identity",
            "grunddata-exchange",
            "grunddata-pull",
            "grunddata-reach",
            "grunddata-seeds",
            "grunddata-server",
            "grunddata-client",
        ],
    ),
    ("grunddata-client", &["grunddata-model"]),
    ("grunddata-testing", &[]),
];

/// Never shipped: free to use every crate, and no other may depend on them but for its tests.
const DEVELOPMENT: &[&str] = &[
    "grunddata-bench",
    "grunddata-testing",
    "grunddata-tests",
    "grunddata-bench",
    "xtask",
];

/// Dependencies that belong to one place.
const OWNED: &[(&str, &[&str])] = &[
    ("diesel", &["grunddata-store"]),
    ("diesel_migrations", &["grunddata-store"]),
    ("libsqlite3-sys", &["grunddata-store"]),
    // Reads and writes files of SQLite for others (GeoPackage), never our own database.
    ("rusqlite", &["grunddata-exchange"]),
    ("pq-sys", &["grunddata-store"]),
    ("openssl-sys", &["grunddata-store"]),
    ("jsonschema", &["grunddata-information-model"]),
    ("actix-web", &["grunddata-server"]),
    ("actix-rt", &["grunddata-server", "grunddata"]),
    ("actix-http", &["grunddata-server"]),
    ("askama", &["grunddata-web"]),
    ("async-graphql", &["grunddata-graphql"]),
    ("clap", &["grunddata"]),
];

/// The innermost crate stays free of I/O: nothing but these.
const OF_MODEL: &[&str] = &["serde", "serde_json", "uuid", "chrono", "thiserror"];

/// Behind a feature that only tests of other crates turn on.
const FOR_TESTS: &[&str] = &["proptest"];

/// Edges that must not be there.
#[must_use]
pub fn edges(metadata: &Metadata) -> Vec<String> {
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let edges = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
            .filter(|dependency| {
                !(dependency.optional && FOR_TESTS.contains(&dependency.name.as_str()))
            })
            .map(|dependency| dependency.name.as_str());
        findings.extend(of_package(package.name.as_str(), edges));
    }
    findings
}

fn of_package<'a>(name: &str, dependencies: impl Iterator<Item = &'a str>) -> Vec<String> {
    if DEVELOPMENT.contains(&name) {
        return Vec::new();
    }
    let Some((_, allowed)) = OURS.iter().find(|(ours, _)| *ours == name) else {
        return vec![format!(
            "{name} has no place among the crates: add it to structure/edges.rs and to ARCHITECTURE.md"
        )];
    };
    let mut findings = Vec::new();
    for dependency in dependencies {
        let ours = dependency.starts_with("grunddata") || DEVELOPMENT.contains(&dependency);
        let owned = OWNED.iter().find(|(owned, _)| *owned == dependency);
        let forbidden = (ours && !allowed.contains(&dependency))
            || owned.is_some_and(|(_, places)| !places.contains(&name))
            || (name == "grunddata-model" && !ours && !OF_MODEL.contains(&dependency));
        if forbidden {
            findings.push(format!("{name} must not depend on {dependency}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::of_package;

    #[test]
    fn forbidden_edges_are_found() {
        for (name, dependency) in [
            ("grunddata-registry", "diesel"),
            ("grunddata-registry", "actix-web"),
            ("grunddata-registry", "grunddata-identity"),
            ("grunddata-identity", "grunddata-registry"),
            ("grunddata-store", "jsonschema"),
            ("grunddata-store", "grunddata-registry"),
            ("grunddata-web", "grunddata-store"),
            ("grunddata-model", "tokio"),
            ("grunddata-server", "grunddata-testing"),
            ("grunddata", "diesel"),
            ("grunddata-newcomer", "serde"),
        ] {
            assert_eq!(
                of_package(name, [dependency].into_iter()).len(),
                1,
                "{name} -> {dependency}"
            );
        }
    }

    #[test]
    fn the_intended_edges_are_allowed() {
        for (name, dependency) in [
            ("grunddata-registry", "grunddata-store"),
            ("grunddata-store", "grunddata-information-model"),
            ("grunddata-store", "diesel"),
            ("grunddata-tests", "actix-web"),
            ("grunddata-model", "chrono"),
        ] {
            assert!(
                of_package(name, [dependency].into_iter()).is_empty(),
                "{name} -> {dependency}"
            );
        }
    }
}
