//! The crates depend on each other in one direction (ARCHITECTURE.md, Crates).

#[test]
fn crates_depend_in_one_direction() {
    let metadata = xtask::structure::metadata().expect("cargo metadata");
    assert_eq!(xtask::structure::edges(&metadata), Vec::<String>::new());
}

#[test]
fn dependencies_are_permissively_licensed() {
    let metadata = xtask::structure::metadata().expect("cargo metadata");
    assert_eq!(xtask::structure::licences(&metadata), Vec::<String>::new());
}
