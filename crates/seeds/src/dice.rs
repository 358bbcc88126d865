//! Chance that is the same every time: SplitMix64 (Steele, Lea and Flood 2014) started from a name.

use sha2::{Digest, Sha256};

/// A deterministic source of numbers. Two dice with the same name give the same numbers for ever.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice for one purpose. Each purpose has its own, so that a change in one leaves the others as they were.
    pub(crate) fn new(purpose: &str) -> Self {
        let digest = Sha256::digest(purpose);
        let seed = digest
            .iter()
            .take(8)
            .fold(0_u64, |seed, byte| (seed << 8) | u64::from(*byte));
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, not including, `bound` (0 when `bound` is 0).
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            return 0;
        }
        usize::try_from(self.next() % (bound as u64)).unwrap_or(0)
    }

    /// True in `percent` cases of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the items, which must not be none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// The items in another order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A table from which values are drawn by weight.
#[derive(Debug, Clone)]
pub(crate) struct Weighted<T> {
    values: Vec<T>,
    /// Running sums of the weights, in millionths.
    sums: Vec<usize>,
}

impl<T> Weighted<T> {
    pub(crate) fn new(rows: impl IntoIterator<Item = (T, usize)>) -> Self {
        let mut values = Vec::new();
        let mut sums = Vec::new();
        let mut sum = 0;
        for (value, weight) in rows {
            sum += weight;
            values.push(value);
            sums.push(sum);
        }
        Self { values, sums }
    }

    pub(crate) fn draw(&self, dice: &mut Dice) -> &T {
        let at = dice.below(self.sums.last().copied().unwrap_or(0));
        let index = self.sums.partition_point(|sum| *sum <= at);
        &self.values[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_of_one_name_agree_and_weights_are_kept() {
        let (mut one, mut other) = (Dice::new("a"), Dice::new("a"));
        assert!((0..100).all(|_| one.below(1000) == other.below(1000)));
        let table = Weighted::new([("often", 900), ("seldom", 100)]);
        let seldom = (0..10_000)
            .filter(|_| *table.draw(&mut one) == "seldom")
            .count();
        assert!((800..1200).contains(&seldom), "{seldom}");
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<usize> = (0..50).collect();
        Dice::new("shuffle").shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
