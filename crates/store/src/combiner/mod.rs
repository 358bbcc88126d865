//! The combiner: waiting writes of one owner are committed together.
//!
//! Row locks are held until the commit is on disk, so that commits one by one could never pass one disk flush each.
//! Here a thread takes the owner's counter row first, runs the jobs in memory one after the other under that lock (so
//! that what a job checked still holds when it is written: no write skew), writes the rows of all accepted jobs together,
//! commits once, and only then answers, refusals included.

mod job;
mod queue;
mod worker;

pub(crate) use job::{BatchFailure, Job, TypedJob};
pub(crate) use queue::{Queue, Refused};
pub(crate) use worker::{Counter, Worker, advance, lock_home, lock_owner, outgrown};
