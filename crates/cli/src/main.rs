//! The `grunddata` program: serves the registry, makes a demo, and keeps a database in order.

mod archive;
mod arguments;
mod commands;
mod console;
mod database;
mod failure;
mod output;
mod place;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;
use grunddata_registry::MarkKind;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::settings::Settings;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            output::error(&failure);
            failure.exit_code()
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Completions(shell) => return commands::completions::run(shell),
        Command::Validate(files) => return commands::validate::run(files),
        Command::Openapi(to) => {
            return commands::openapi::run(to, &Settings::load(&arguments.global)?);
        }
        _ => {}
    }
    let settings = Settings::load(&arguments.global)?;
    match arguments.command {
        Command::Serve(serve) => {
            commands::serve::run(settings.with_listen(serve.listen), serve.token_file)
        }
        Command::Demo(demo) => {
            commands::demo::run(settings.with_listen(demo.listen), demo.token_file)
        }
        Command::Seed(seed) => commands::seed::run(&settings, seed.quiet),
        Command::Migrate => commands::migrate::run(&settings),
        Command::Verify => commands::verify::run(&settings),
        Command::Owner(owner) => commands::owner::run(&settings, owner),
        Command::Token(token) => commands::token::run(&settings, token),
        Command::Grant(grant) => commands::grant::run(&settings, grant),
        Command::Log(log) => commands::log::run(&settings, log),
        Command::ExtractPerson(person) => commands::extract_person::run(&settings, person),
        Command::Retention(retention) => commands::retention::run(&settings, retention),
        Command::Hold(hold) => commands::hold::run(&settings, MarkKind::Hold, hold),
        Command::Restriction(hold) => commands::hold::run(&settings, MarkKind::Restriction, hold),
        Command::Erase(erase) => commands::erase::run(&settings, erase),
        Command::Erasures(erasures) => commands::erasures::run(&settings, erasures),
        Command::Source(source) => commands::source::run(&settings, source),
        Command::Subscription(subscription) => commands::subscription::run(&settings, subscription),
        Command::Load(load) => commands::load::load(&settings, load),
        Command::Loads(loads) => commands::load::run(&settings, loads),
        Command::HandOff(hand_off) => commands::hand_off::run(&settings, hand_off),
        Command::Transfer(transfer) => commands::transfer::run(&settings, transfer),
        Command::Model(model) => commands::model::run(&settings, model),
        Command::Peer(peer) => commands::peer::run(&settings, peer),
        Command::Why(why) => commands::why::run(&settings, why),
        Command::Changes(changes) => commands::changes::run(&settings, changes),
        Command::Export(export) => commands::export::run(&settings, export),
        Command::Import(import) => commands::import::run(&settings, import),
        Command::Backup(backup) => commands::backup::run(&settings, backup),
        Command::Restore(restore) => commands::restore::run(&settings, restore),
        Command::Completions(_) | Command::Validate(_) | Command::Openapi(_) => {
            Ok(ExitCode::SUCCESS)
        }
    }
}
