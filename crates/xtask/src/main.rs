//! grunddata xtask.

fn main() {}
