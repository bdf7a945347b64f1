//! A list that is nearly always of one: routes of a key, hops of a route. One costs no allocation.

use std::ops::{Deref, DerefMut};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) enum Few<T> {
    One(T),
    /// None, or several; a list of one that was longer stays here.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Appends one.
    pub fn push(&mut self, value: T) {
        let mut all = std::mem::take(self).into_vec();
        if all.is_empty() {
            *self = Few::One(value);
            return;
        }
        all.push(value);
        *self = Few::Many(all);
    }

    /// Takes out the one at that place.
    pub fn remove(&mut self, at: usize) -> T {
        let mut all = std::mem::take(self).into_vec();
        let taken = all.remove(at);
        *self = Few::Many(all);
        taken
    }

    /// Takes out those that satisfy the condition.
    pub fn extract(&mut self, out: &mut Vec<T>, condition: impl Fn(&T) -> bool) {
        if self.iter().any(&condition) {
            let mut all = std::mem::take(self).into_vec();
            out.extend(all.extract_if(.., |value| condition(value)));
            *self = Few::Many(all);
        }
    }

    fn into_vec(self) -> Vec<T> {
        match self {
            Few::One(value) => vec![value],
            Few::Many(all) => all,
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Few::Many(Vec::new())
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Few::One(value) => std::slice::from_ref(value),
            Few::Many(all) => all,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Few::One(value) => std::slice::from_mut(value),
            Few::Many(all) => all,
        }
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T> From<Vec<T>> for Few<T> {
    fn from(mut all: Vec<T>) -> Self {
        match (all.len(), all.pop()) {
            (1, Some(only)) => Few::One(only),
            (_, last) => {
                all.extend(last);
                Few::Many(all)
            }
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Few::default(),
            (Some(only), None) => Few::One(only),
            (Some(first), Some(second)) => Few::Many([first, second].into_iter().chain(values).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_a_list(start in proptest::collection::vec(0u8..9, 0..4), acts in proptest::collection::vec(0u8..30, 0..12)) {
            let mut list = start.clone();
            let mut few = Few::from(start.clone());
            prop_assert_eq!(&few, &start.into_iter().collect::<Few<_>>());
            for act in acts {
                match act {
                    0..10 => {
                        list.push(act);
                        few.push(act);
                    }
                    10..20 if !list.is_empty() => {
                        let at = usize::from(act) % list.len();
                        prop_assert_eq!(list.remove(at), few.remove(at));
                    }
                    _ => {
                        let mut taken = Vec::new();
                        few.extract(&mut taken, |value| *value == act - 20);
                        prop_assert_eq!(list.extract_if(.., |value| *value == act - 20).collect::<Vec<_>>(), taken);
                    }
                }
                prop_assert_eq!(&list[..], &few[..]);
            }
        }
    }
}
