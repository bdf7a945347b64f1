//! Who holds which address, as the runtimes were told.

use std::collections::BTreeMap;

/// Addresses by container, and containers by address.
#[derive(Default)]
pub struct Account {
    held: BTreeMap<String, String>,
}

impl Account {
    /// A container was told that it has this address.
    #[track_caller]
    pub fn holds(&mut self, container: &str, address: &str) {
        let other = self
            .held
            .iter()
            .find(|(who, what)| *what == address && *who != container);
        assert_eq!(other, None, "{address} was given to {container}, too");
        let before = self.held.insert(container.to_owned(), address.to_owned());
        if let Some(before) = before {
            assert_eq!(
                before, address,
                "a repeated ADD of {container} gave another address"
            );
        }
    }

    /// A container begins to give back whatever it holds.
    pub fn gives_back(&mut self, container: &str) {
        self.held.remove(container);
    }

    /// Nothing is held by anyone who was not asked to give it back.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
