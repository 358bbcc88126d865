//! The proof that the predicate holds: a random registry, random readers, and a second reading of the rules that says of
//! every byte of every answer whether it may be there.

#![expect(
    clippy::print_stderr,
    reason = "a seed and how much was tried are shown when it fails"
)]

mod edges;
mod exports;
mod learn;
mod oracles;
mod probes;
pub(crate) mod rules;
mod whole;
pub(crate) mod world;

use grunddata_testing::on_both;

use crate::stack::*;

/// Another seed for a run by hand.
fn seed(usual: u64) -> u64 {
    let given = std::env::var("PROOF_SEED").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

on_both! {
    using stack;

    fn every_answer_shows_what_the_rules_allow_and_nothing_else(stack: Stack) {
        let seed = seed(20_261_122);
        eprintln!("PROOF_SEED={seed}");
        let built = world::build(&stack, seed);
        let proof = probes::prove(&stack, &built, seed);
        eprintln!("{} records, {} marks, {} readers, {} probes", built.world.records.len(), built.world.marks.0.len(), proof.readers, proof.probes);
        assert!(proof.violations.is_empty(), "PROOF_SEED={seed}: {} violations\n{}", proof.violations.len(), proof.report());
        assert!(proof.probes >= 10_000, "{} probes", proof.probes);
    }
}
