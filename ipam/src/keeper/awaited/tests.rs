//! Views from before and from after, as a store that coalesces shows them.

use datastore::{Incarnation, Listing, Revision};

use super::*;

fn key(name: &str) -> Key {
    Key::Sticky(name.to_owned())
}

fn view(items: &[(&str, &str)]) -> SpaceView {
    let items = items.iter().map(|(name, version)| Item {
        key: key(name),
        value: "{}".into(),
        version: Version::new(*version),
        incarnation: Incarnation::new("1"),
    });
    SpaceView::from(Listing {
        items: items.collect(),
        revision: Revision::new("9"),
    })
}

fn put(name: &str) -> Transaction {
    Transaction::default().then(Write::Put(key(name), "{}".into()))
}

fn done(version: &str) -> Version {
    Version::new(version)
}

fn spaces(ownership: &SpaceView) -> Spaces<'_> {
    Spaces {
        resources: ownership,
        ownership,
    }
}

#[test]
fn a_commit_is_shown_when_every_written_key_has_moved() {
    let seen = view(&[("a", "1"), ("b", "1")]);
    let transaction = put("a")
        .then(Write::Delete(key("b")))
        .then(Write::Put(key("c"), "{}".into()));
    let awaited = Awaited::default().commit(&transaction, spaces(&seen), Some(&done("2")));
    assert!(!awaited.shown(spaces(&seen)));
    assert!(!awaited.shown(spaces(&view(&[("a", "2"), ("b", "1"), ("c", "2")]))));
    assert!(awaited.shown(spaces(&view(&[("a", "2"), ("c", "2")]))));
    let later = view(&[("a", "5"), ("b", "4"), ("c", "3")]);
    assert!(awaited.shown(spaces(&later)), "others wrote since");
}

#[test]
fn a_listing_says_whether_anything_is_to_be_awaited() {
    let seen = view(&[("a", "1")]);
    let awaited = Awaited::default().commit(&put("a"), spaces(&seen), None);
    assert!(!awaited.shown(spaces(&seen)), "it may have been carried out");
    let not_done = awaited.clone().listed(spaces(&seen));
    assert!(not_done.shown(spaces(&seen)));
    let carried_out = awaited.listed(spaces(&view(&[("a", "2")])));
    assert!(!carried_out.shown(spaces(&seen)), "the followed view is behind");
    assert!(carried_out.shown(spaces(&view(&[("a", "2")]))));
    assert!(carried_out.shown(spaces(&view(&[]))));
}

#[test]
fn a_view_from_before_two_commits_is_not_one_from_after_them() {
    let (first, second) = (view(&[("a", "1")]), view(&[("a", "2")]));
    let once = Awaited::default().commit(&put("a"), spaces(&first), None);
    let once = once.listed(spaces(&second));
    let twice = once.commit(&put("a"), spaces(&second), Some(&done("3")));
    assert!(!twice.shown(spaces(&first)) && !twice.shown(spaces(&second)));
    assert!(twice.shown(spaces(&view(&[("a", "3")]))));
}

#[test]
fn a_conflict_is_shown_when_a_comparison_fails() {
    let seen = view(&[("a", "1")]);
    let transaction = Transaction::default()
        .when(Compare::Version(key("a"), Version::new("1")))
        .when(Compare::Absent(key("b")));
    let awaited = Awaited::default().conflict(&transaction);
    assert!(!awaited.shown(spaces(&seen)));
    assert!(awaited.shown(spaces(&view(&[("a", "1"), ("b", "7")]))));
    assert!(awaited.shown(spaces(&view(&[("a", "2")]))));
    assert!(
        awaited.listed(spaces(&seen)).shown(spaces(&seen)),
        "it has moved back: nothing is awaited"
    );
}

#[test]
fn nothing_awaited_is_always_shown() {
    assert!(Awaited::default().shown(spaces(&view(&[]))));
}
