//! One test binary for everything end to end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test that cannot go on must fail, and say why"
)]

mod answered;
mod collecting;
mod commands;
mod console_exports;
mod console_loads;
mod crate_edges;
mod demo;
mod deploy;
mod desk;
mod durability;
mod faults;

mod http_access;
mod http_audit;
mod http_bad_input;
mod http_changes;
mod http_cors;
mod http_export_files;
mod http_exports;
mod http_law;
mod http_loads;
mod http_log;
mod http_log_proof;
mod http_lossless;
mod http_matrix;
mod http_proof;
mod http_quiet;
mod http_records;
mod http_search;
mod http_tls;
mod log_watch;
mod model_packages;
mod out;
mod peers;
mod program;
mod readme;
mod subscriptions;
mod transfers;
