//! Measures grunddata's paths against the raw engines beneath them.
mod bare;
mod cpu;
mod load;
fn main() {}
