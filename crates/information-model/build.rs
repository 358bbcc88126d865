//! The packages under `schemas/` are embedded into the library: a changed schema must rebuild it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../../schemas");
}
