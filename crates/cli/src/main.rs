//! grunddata cli.

fn main() {}
