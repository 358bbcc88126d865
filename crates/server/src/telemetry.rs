//! The log: text for people, JSON for machines. No personal data and no token is ever written to it: requests are
//! named by operation, status and trace, never by their query or body.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

/// What the log holds.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Its form.
    pub format: LogFormat,
    /// Directives such as `info` or `grunddata_server=debug,warn`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".to_owned(),
        }
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The directives cannot be read.
    #[error("the log filter \"{filter}\" cannot be read: {reason}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another subscriber is installed already.
    #[error("the log is set up already")]
    Installed,
}

/// Installs the log for the process, on standard error.
///
/// # Errors
/// [`LogError`].
pub fn install(config: &LogConfig) -> Result<(), LogError> {
    // What actix says of its own starting and stopping is said better here; whoever wants it names it.
    let directives = if config.filter.contains("actix") {
        config.filter.clone()
    } else {
        format!("{},actix_server=warn", config.filter)
    };
    let filter = EnvFilter::try_new(directives).map_err(|error| LogError::Filter {
        filter: config.filter.clone(),
        reason: error.to_string(),
    })?;
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    let installed = match config.format {
        LogFormat::Text => builder.with_target(false).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    installed.map_err(|_| LogError::Installed)
}
