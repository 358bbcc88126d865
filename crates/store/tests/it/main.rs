//! The store on both databases. Every test ends with `verify()`.

#[cfg(test)]
mod combiner;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod links;
#[cfg(test)]
mod overlay;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod search;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod world;
