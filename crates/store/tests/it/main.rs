//! The store on both databases. Every test ends with `verify()`.

mod combiner;
mod histories;
mod links;
mod overlay;
mod reads;
mod search;
mod world;
