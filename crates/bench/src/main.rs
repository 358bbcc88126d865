//! Measures grunddata's paths against the raw engines beneath them.
mod bare;
mod cpu;
mod data;
mod load;
mod replay;
fn main() {}
