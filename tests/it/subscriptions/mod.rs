//! Subscriptions: sent to a receiver on loopback, which accepts, fails, hangs and disappears.

mod deliveries;
mod faults;
mod manners;
mod receiver;
mod world;
