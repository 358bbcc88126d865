//! Strategies that generate values of the domain types, for property tests here and in other crates (feature
//! `arbitrary`). Every value is valid by the schemas and code lists of `grunddata 1.0.0`; references lead nowhere.

mod domains;
mod parts;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

pub use domains::{geography, organisation, person, role, service};

/// How much of a record is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Each optional property is there or not.
    Some,
    /// Every property is there and no list is empty: to see everything that a type can say.
    All,
}

impl Fill {
    fn option<T, S>(self, strategy: S) -> BoxedStrategy<Option<T>>
    where
        T: Clone + std::fmt::Debug + 'static,
        S: Strategy<Value = T> + 'static,
    {
        match self {
            Fill::Some => proptest::option::weighted(0.3, strategy).boxed(),
            Fill::All => strategy.prop_map(Some).boxed(),
        }
    }

    fn list<T, S>(self, strategy: S) -> BoxedStrategy<Vec<T>>
    where
        T: Clone + std::fmt::Debug + 'static,
        S: Strategy<Value = T> + 'static,
    {
        match self {
            Fill::Some => {
                let some = proptest::collection::vec(strategy, 1..3);
                prop_oneof![2 => Just(Vec::new()), 1 => some].boxed()
            }
            Fill::All => proptest::collection::vec(strategy, 1..3).boxed(),
        }
    }

    /// A list without duplicates, out of the given values.
    fn some_of<T: Clone + std::fmt::Debug + 'static>(
        self,
        values: Vec<T>,
    ) -> BoxedStrategy<Vec<T>> {
        let least = usize::from(self == Fill::All);
        let most = values.len().min(3);
        proptest::sample::subsequence(values, least..=most).boxed()
    }
}

/// Sets fields of a value one by one: a strategy of any number of properties that still shrinks.
macro_rules! with {
    ($start:expr; $($field:ident: $strategy:expr),+ $(,)?) => {{
        let strategy = proptest::strategy::Strategy::boxed($start);
        $(
            let strategy = proptest::strategy::Strategy::boxed(proptest::strategy::Strategy::prop_map(
                (strategy, $strategy),
                |(mut value, part)| {
                    value.$field = part;
                    value
                },
            ));
        )+
        strategy
    }};
}
use with;

#[cfg(test)]
mod tests;
