//! Loads: what sources say, planned, guarded, applied and taken back.

mod access;
mod applying;
mod copies;
mod feed;
mod first;
mod foreseen;
mod model;
mod pending;
mod periods;
mod references;
mod reversal;
mod running;
mod settings;
mod several;
