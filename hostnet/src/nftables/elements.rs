//! Sets of the table: how one is made, what is in it, and how what is in it changes. Pure.
//!
//! An interval set holds the ends of its ranges (`linux/netfilter/nf_tables.h`). Removing and adding in one batch shows at one
//! moment, as everything in a batch does.

use netlink_packet_netfilter::nftables::{
    DataAttribute, ListAttribute, NfTablesMessage, SetAttribute, SetElementAttribute, SetElementFlags,
    SetElementList, SetElementMessage, SetFlags, SetMessage,
};

use super::attributes::{Change, NLM_F_CREATE};
use super::error::Step;
use super::model::{Set, TABLE};
use super::ranges::{Element, Family, Ranges};
use crate::nfnetlink::{attribute, attributes};

/// How many elements go into one message: an attribute is at most 64 KiB long.
const PER_MESSAGE: usize = 500;

/// What changes in a set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Update {
    set: &'static str,
    family: Family,
    remove: Ranges,
    add: Ranges,
}

impl Update {
    /// From what is in the set to what is wanted in it.
    pub(super) fn new(wanted: &Set, is: &Ranges) -> Update {
        Update {
            set: wanted.name,
            family: wanted.family,
            remove: is.beyond(&wanted.ranges),
            add: wanted.ranges.beyond(is),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }

    /// The messages that change it.
    pub(super) fn changes(&self) -> Vec<Change> {
        let remove = lists(self.set, self.family, &self.remove).map(|list| Change {
            step: Step::Set(self.set),
            flags: 0,
            message: NfTablesMessage::DeleteSetElement(list),
        });
        let add = lists(self.set, self.family, &self.add);
        remove
            .chain(add.map(|list| new_elements(self.set, list)))
            .collect()
    }
}

/// Makes a set with what is in it.
pub(super) fn new_set(set: &Set) -> impl Iterator<Item = Change> + '_ {
    let mut attributes = vec![SetAttribute::Table(TABLE.to_owned())];
    attributes.extend(set_attributes(set));
    // Rules find the set by its name; the kernel wants a number all the same.
    attributes.push(SetAttribute::Id(1));
    let new = Change {
        step: Step::Set(set.name),
        flags: NLM_F_CREATE,
        message: NfTablesMessage::NewSet(SetMessage { attributes }),
    };
    let elements = lists(set.name, set.family, &set.ranges).map(|list| new_elements(set.name, list));
    [new].into_iter().chain(elements)
}

/// What the kernel says of a set, too.
pub(super) fn set_attributes(set: &Set) -> [SetAttribute; 5] {
    // The numbers of `nft`'s datatypes `ipv4_addr` and `ipv6_addr`.
    let (kind, length) = match set.family {
        Family::V4 => (7, 4),
        Family::V6 => (8, 16),
    };
    [
        SetAttribute::Name(set.name.to_owned()),
        SetAttribute::Flags(SetFlags::Interval),
        SetAttribute::KeyType(kind),
        SetAttribute::KeyLen(length),
        SetAttribute::UserData(user_data(set.comment)),
    ]
}

/// What `nft` keeps with a set: the keys' byte order, 2 for the network's, and the comment (libnftnl's `udata.h`).
fn user_data(comment: &str) -> Vec<u8> {
    const KEY_BYTE_ORDER: u8 = 0;
    const COMMENT: u8 = 7;
    let mut data = vec![KEY_BYTE_ORDER, 4];
    data.extend(2_u32.to_ne_bytes());
    let length = u8::try_from(comment.len() + 1).unwrap_or(u8::MAX);
    data.extend([COMMENT, length]);
    data.extend(comment.bytes().take(usize::from(length) - 1).chain([0]));
    data
}

/// Asks for all sets of the table.
pub(super) fn get_sets() -> NfTablesMessage {
    let attributes = vec![SetAttribute::Table(TABLE.to_owned())];
    NfTablesMessage::GetSet(SetMessage { attributes })
}

/// Removes a set that no rule looks into.
pub(super) fn delete_set(name: &str) -> Change {
    let attributes = vec![
        SetAttribute::Table(TABLE.to_owned()),
        SetAttribute::Name(name.to_owned()),
    ];
    Change {
        step: Step::Batch,
        flags: 0,
        message: NfTablesMessage::DeleteSet(SetMessage { attributes }),
    }
}

/// Asks for all that is in one set.
pub(super) fn get_elements(name: &str) -> NfTablesMessage {
    let attributes = vec![
        SetElementList::Table(TABLE.to_owned()),
        SetElementList::Set(name.to_owned()),
    ];
    NfTablesMessage::GetSetElement(SetElementMessage { attributes })
}

/// What the kernel says is in a set of this family: the attributes of its answers.
pub(super) fn ranges(family: Family, answers: &[Vec<u8>]) -> Ranges {
    const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
    let lists = answers
        .iter()
        .filter_map(|answer| attribute(answer, NFTA_SET_ELEM_LIST_ELEMENTS));
    let elements = lists.flat_map(attributes);
    let elements = elements.filter_map(|(_, element)| read_element(family, element));
    Ranges::from_elements(family, elements.collect())
}

fn read_element(family: Family, element: &[u8]) -> Option<Element> {
    const NFTA_SET_ELEM_KEY: u16 = 1;
    const NFTA_SET_ELEM_FLAGS: u16 = 3;
    const NFTA_DATA_VALUE: u16 = 1;
    let key = attribute(attribute(element, NFTA_SET_ELEM_KEY)?, NFTA_DATA_VALUE)?;
    let flags = attribute(element, NFTA_SET_ELEM_FLAGS).and_then(|value| value.first_chunk().copied());
    let flags = SetElementFlags::from_bits_retain(u32::from_be_bytes(flags.unwrap_or_default()));
    Some(Element {
        key: family.number(key)?,
        begins: !flags.contains(SetElementFlags::IntervalEnd),
    })
}

/// The elements of these ranges, in as many lists as are needed.
fn lists(
    set: &'static str,
    family: Family,
    ranges: &Ranges,
) -> impl Iterator<Item = SetElementMessage> + use<> {
    let write = |element: Element| {
        let mut attributes = vec![SetElementAttribute::Key(DataAttribute::Value(
            family.bytes(element.key),
        ))];
        if !element.begins {
            attributes.push(SetElementAttribute::Flags(SetElementFlags::IntervalEnd));
        }
        ListAttribute::Element(attributes)
    };
    let elements: Vec<_> = ranges.elements().map(write).collect();
    let lists: Vec<_> = elements
        .chunks(PER_MESSAGE)
        .map(|part| SetElementMessage {
            attributes: vec![
                SetElementList::Table(TABLE.to_owned()),
                SetElementList::Set(set.to_owned()),
                SetElementList::Elements(part.to_vec()),
            ],
        })
        .collect();
    lists.into_iter()
}

fn new_elements(set: &'static str, list: SetElementMessage) -> Change {
    Change {
        step: Step::Set(set),
        flags: NLM_F_CREATE,
        message: NfTablesMessage::NewSetElement(list),
    }
}
