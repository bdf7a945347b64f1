//! How a line of the table is written: one function for each class.

use super::class::{Class, Field};

pub(super) const fn yes(path: &'static str, about: &'static str) -> Field {
    Field {
        path,
        class: Class::Supported,
        about,
    }
}

pub(super) const fn ours(path: &'static str, about: &'static str) -> Field {
    Field {
        path,
        class: Class::Ours,
        about,
    }
}

pub(super) const fn ignored(path: &'static str, why: &'static str) -> Field {
    Field {
        path,
        class: Class::Ignored(why),
        about: "",
    }
}

pub(super) const fn refused(
    path: &'static str,
    harmless: &'static [&'static str],
    why: &'static str,
) -> Field {
    Field {
        path,
        class: Class::Refused { harmless, why },
        about: "",
    }
}
