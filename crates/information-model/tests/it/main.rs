//! Tests of the information model on the packages that are built in, and on packages in directories.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod edits;
mod errors;
mod examples;
mod extraction;
mod facts;
mod generated;
mod packages;

use std::sync::LazyLock;

use grunddata_information_model::InformationModel;

/// The packages that are built in, compiled once for all tests.
static MODEL: LazyLock<InformationModel> = LazyLock::new(|| InformationModel::embedded().unwrap());
