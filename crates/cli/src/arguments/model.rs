//! The arguments of packages of the information model.

use clap::Subcommand;

/// `model`
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// List the packages: those of the program and its directories, those that came from peers, and those that are set aside
    List,
    /// Keep a package no more that came from a peer
    #[command(after_long_help = "\
Examples:
  grunddata model list
  grunddata model forget own/0.2.0

A package that clashes with those of the program is set aside: the program starts without it, and
records that name it cannot be read. Forget it, or install its like as a directory. See docs/peers.md.")]
    Forget {
        /// The package, as NAME/VERSION
        #[arg(value_name = "NAME/VERSION")]
        package: String,
        /// Also where records name it, which cannot be read then
        #[arg(long)]
        force: bool,
    },
}
