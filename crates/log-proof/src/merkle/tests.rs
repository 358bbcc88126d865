//! Against the reference vectors of Certificate Transparency, and against the definition of RFC 9162 written down as it
//! stands there.

use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// The leaves of the reference tests of Certificate Transparency.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// Their roots, for 1 to 8 leaves.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn leaves(count: usize) -> Vec<Hash> {
    (0..count)
        .map(|number| match LEAVES.get(number) {
            Some(leaf) => leaf_hash(leaf),
            None => leaf_hash(&number.to_be_bytes()),
        })
        .collect()
}

/// MTH of section 2.1.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let half = (1..).map(|bit| 1 << bit).find(|k| *k >= leaves.len());
            let (left, right) = leaves.split_at(half.unwrap() / 2);
            node_hash(naive_root(left), naive_root(right))
        }
    }
}

fn compact(leaves: &[Hash], range: Range<usize>) -> CompactRange {
    let mut compact = CompactRange::new(range.start as u64);
    leaves[range].iter().for_each(|leaf| compact.push(*leaf));
    compact
}

fn hashes(leaves: &[Hash], ranges: Vec<Range<u64>>) -> Vec<Hash> {
    ranges
        .into_iter()
        .map(|range| {
            compact(leaves, range.start as usize..range.end as usize)
                .root()
                .unwrap()
        })
        .collect()
}

fn inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let ranges = inclusion_ranges(index as u64, leaves.len() as u64);
    hashes(leaves, ranges.unwrap())
}

fn consistency(leaves: &[Hash], from: usize) -> Vec<Hash> {
    let ranges = consistency_ranges(from as u64, leaves.len() as u64);
    hashes(leaves, ranges.unwrap())
}

fn parsed(texts: &[&str]) -> Vec<Hash> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn the_roots_are_the_reference_roots() {
    assert_eq!(
        empty_root().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(CompactRange::new(0).root(), Some(empty_root()));
    let leaves = leaves(8);
    for (count, root) in (1..).zip(ROOTS) {
        let compact = compact(&leaves, 0..count);
        assert_eq!(compact.root().unwrap().to_string(), root, "{count} leaves");
    }
}

#[test]
fn the_inclusion_proofs_are_the_reference_proofs() {
    let of = |index: usize, size: usize| inclusion(&leaves(size), index - 1);
    assert_eq!(of(1, 1), []);
    assert_eq!(
        of(1, 8),
        parsed(&[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ])
    );
    assert_eq!(
        of(6, 8),
        parsed(&[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
    assert_eq!(of(3, 3), parsed(&[ROOTS[1]]));
    assert_eq!(
        of(2, 5),
        parsed(&[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ])
    );
}

#[test]
fn the_consistency_proofs_are_the_reference_proofs() {
    let of = |from: usize, to: usize| consistency(&leaves(to), from);
    assert_eq!(of(1, 1), []);
    assert_eq!(
        of(1, 8),
        parsed(&[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ])
    );
    assert_eq!(
        of(6, 8),
        parsed(&[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ])
    );
    assert_eq!(
        of(2, 5),
        parsed(&[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ])
    );
}

#[test]
fn every_proof_of_small_trees_holds_and_no_changed_one_does() {
    let all = leaves(40);
    for size in 1..=all.len() {
        let leaves = &all[..size];
        let root = naive_root(leaves);
        let to = size as u64;
        for at in 0..size {
            let path = inclusion(leaves, at);
            let check = |index, leaf, path: &[Hash]| verify_inclusion(index, to, leaf, path, root);
            let index = at as u64;
            assert_eq!(check(index, leaves[at], &path), Ok(()));
            assert!(check(index, empty_root(), &path).is_err());
            assert!(check(index ^ 1, leaves[at], &path).is_err() || size == 1);
            assert_eq!(check(to, leaves[at], &path), Err(ProofError::Positions));
            assert_changed_paths_fail(&path, |path| check(index, leaves[at], path));
        }
        for older in 1..=size {
            let path = consistency(leaves, older);
            let older_root = naive_root(&leaves[..older]);
            let from = older as u64;
            let check = |path: &[Hash]| verify_consistency(from, to, older_root, root, path);
            assert_eq!(check(&path), Ok(()), "{older} of {size}");
            assert!(verify_consistency(from, to, empty_root(), root, &path).is_err());
            assert!(verify_consistency(from, to, older_root, empty_root(), &path).is_err());
            assert_changed_paths_fail(&path, check);
        }
        assert_eq!(inclusion_ranges(to, to), None);
        assert_eq!(consistency_ranges(0, to), None);
        assert_eq!(consistency_ranges(to + 1, to), None);
    }
}

fn assert_changed_paths_fail(path: &[Hash], check: impl Fn(&[Hash]) -> Result<(), ProofError>) {
    let mut longer = path.to_vec();
    longer.push(empty_root());
    assert!(check(&longer).is_err());
    if let Some((_, shorter)) = path.split_last() {
        assert!(check(shorter).is_err());
    }
    for place in 0..path.len() {
        let mut changed = path.to_vec();
        changed[place].0[7] ^= 16;
        assert_eq!(check(&changed), Err(ProofError::Root));
    }
}

#[test]
fn hashes_have_one_written_form() {
    let hash: Hash = ROOTS[7].parse().unwrap();
    assert_eq!(hash.to_string(), ROOTS[7]);
    assert_eq!(
        serde_json::from_str::<Hash>(&serde_json::to_string(&hash).unwrap()).unwrap(),
        hash
    );
    for bad in ["", "5d", &ROOTS[7].to_uppercase(), &ROOTS[7][1..]] {
        assert_eq!(bad.parse::<Hash>(), Err(NotAHash));
    }
}

proptest! {
    #[test]
    fn pieces_make_the_whole(size in 0usize..400, cuts in prop::collection::vec(0usize..400, 0..6)) {
        let leaves = leaves(size);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(size)).collect();
        cuts.push(size);
        cuts.sort_unstable();
        let mut whole = CompactRange::new(0);
        let mut begin = 0;
        for cut in cuts {
            let piece = compact(&leaves, begin..cut);
            let again = CompactRange::from_nodes(
                piece.begin(), piece.end(), piece.nodes().to_vec(),
            ).unwrap();
            prop_assert!(whole.append(&again));
            prop_assert_eq!(&whole, &compact(&leaves, 0..cut));
            begin = cut;
        }
        prop_assert_eq!(whole.root(), Some(naive_root(&leaves)));
        prop_assert!(!whole.append(&CompactRange::new(size as u64 + 1)));
    }

    #[test]
    fn a_range_has_a_root_only_where_it_is_a_subtree(begin in 0usize..130, length in 1usize..70) {
        let leaves = leaves(200);
        let range = compact(&leaves, begin..begin + length);
        let aligned = begin % length.next_power_of_two() == 0;
        if aligned {
            prop_assert_eq!(range.root(), Some(naive_root(&leaves[begin..begin + length])));
        }
        prop_assert!(CompactRange::from_nodes(0, 4, range.nodes().to_vec()).is_none() || range.nodes().len() == 1);
    }
}
