//! Subscriptions: sent to a receiver on loopback, which accepts, fails, hangs and disappears.

mod deliveries;
mod faults;
mod manners;
pub(crate) mod receiver;
mod standing;
pub(crate) mod world;
