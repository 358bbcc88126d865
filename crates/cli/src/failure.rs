//! Why a command failed: what is wrong, what to do about it, and the exit code that scripts can tell it by.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use grunddata_registry::{Code, Refusal};
use grunddata_server::ServerError;
use grunddata_store::StoreError;

/// The kinds of failure; the number is the exit code, told in `grunddata --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command failed or found something wrong.
    Failed = 1,
    /// Wrong use of the command line or of a setting.
    Usage = 2,
    /// The database cannot be reached or is locked.
    Database = 3,
    /// The database lacks its tables.
    NotMigrated = 4,
    /// The address cannot be listened on.
    Listen = 5,
    /// A file or directory cannot be written.
    Write = 6,
}

/// A failure with its cure.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    problem: String,
    cure: Option<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, problem: impl fmt::Display) -> Self {
        Self {
            kind,
            problem: problem.to_string(),
            cure: None,
        }
    }

    pub(crate) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// A file or directory that cannot be written.
    pub(crate) fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Kind::Write, format!("cannot write {}: {error}", path.display()))
            .cure("Check that the directory exists and that you may write there, or choose another one with --data.")
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }

    #[cfg(test)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match &self.cure {
            Some(cure) => write!(f, "\n{cure}"),
            None => Ok(()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Busy
            | StoreError::Unavailable(_)
            | StoreError::Timeout(_)
            | StoreError::ShuttingDown => Kind::Database,
            StoreError::NotMigrated(_) => Kind::NotMigrated,
            StoreError::Url(_) => Kind::Usage,
            _ => Kind::Failed,
        };
        let cure = match &error {
            StoreError::Busy => {
                "Another program holds the database: a server that is running, or a backup. Stop it, or wait and try again."
            }
            StoreError::Unavailable(_) => {
                "Check the address given with --database, that the database runs, and that this user may connect to it."
            }
            StoreError::NotMigrated(_) => {
                "Run `grunddata migrate` with the same --database or --data first."
            }
            _ => return Self::new(kind, error),
        };
        Self::new(kind, error).cure(cure)
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match &error {
            ServerError::Listen { address, source } => {
                let failure = Self::new(
                    Kind::Listen,
                    format!("cannot listen on {address}: {source}"),
                );
                match source.kind() {
                    std::io::ErrorKind::AddrInUse => failure.cure(format!(
                        "Another program listens there. Stop it, or choose another port: --listen {}",
                        std::net::SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1024))
                    )),
                    std::io::ErrorKind::PermissionDenied => {
                        failure.cure("Ports below 1024 are for the administrator: choose a higher one with --listen.")
                    }
                    _ => failure.cure("Choose an address of this machine with --listen, such as 127.0.0.1:8080."),
                }
            }
            ServerError::Tls { .. } => Self::new(Kind::Usage, error)
                .cure("Check certificate and key under [tls] in the settings."),
            ServerError::AccessLog { .. } => Self::new(Kind::Failed, error)
                .cure("Personal data are shown only when it can be logged: make the directory writable for this user, or choose another with access_log in the settings."),
            ServerError::Uploads { .. } => Self::new(Kind::Write, error)
                .cure("Make the directory writable for this user, or choose another with uploads in the settings."),
            ServerError::Origins(_) => Self::new(Kind::Usage, error),
            ServerError::Identity(_) => Self::new(Kind::Usage, error)
                .cure("docs/identity.md shows how issuers are configured."),
            ServerError::Run(_) => Self::new(Kind::Failed, error),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let kind = if refusal.code == Code::Busy {
            Kind::Database
        } else {
            Kind::Failed
        };
        Self::new(kind, refusal.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_is_wrong_and_what_to_do() {
        let busy = Failure::from(StoreError::Busy);
        assert_eq!(busy.kind(), Kind::Database);
        assert!(
            busy.to_string()
                .contains("Another program holds the database"),
            "{busy}"
        );
        let missing = Failure::from(StoreError::NotMigrated(vec!["2026-11-21-first".to_owned()]));
        assert_eq!(missing.kind(), Kind::NotMigrated);
        assert!(
            missing
                .to_string()
                .ends_with("Run `grunddata migrate` with the same --database or --data first.")
        );
        let taken = Failure::from(ServerError::Listen {
            address: std::net::SocketAddr::from(([127, 0, 0, 1], 8080)),
            source: std::io::ErrorKind::AddrInUse.into(),
        });
        assert_eq!(taken.kind(), Kind::Listen);
        assert!(
            taken.to_string().ends_with("--listen 127.0.0.1:8081"),
            "{taken}"
        );
    }
}
