//! A message of a batch, and the attributes that are written and compared alike.

use netlink_packet_netfilter::nftables::{
    ChainAttribute, Hook as HookAttribute, InetHookNumber, NfTablesMessage,
};

use super::error::Step;
use super::model::{Base, Hook};

/// A flag of netlink beside the request itself (netlink(7)).
pub(super) const NLM_F_CREATE: u16 = 0x400;

/// One message of a batch, and what it does for the text of an error.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) step: Step,
    pub(super) flags: u16,
    pub(super) message: NfTablesMessage,
}

/// A comment as `nft` keeps it in what the kernel keeps for it: type 0, length, text with a NUL (libnftnl's `udata.h`).
pub(super) fn comment_data(comment: &str) -> Vec<u8> {
    let length = u8::try_from(comment.len() + 1).unwrap_or(u8::MAX);
    let text = comment.bytes().take(usize::from(length) - 1);
    [0, length].into_iter().chain(text).chain([0]).collect()
}

/// What the kernel says of a base chain, too.
pub(super) fn base_attributes(base: &Base) -> [ChainAttribute; 3] {
    const NF_ACCEPT: u32 = 1;
    let hook = match base.hook {
        Hook::Prerouting => InetHookNumber::PreRouting,
        Hook::Postrouting => InetHookNumber::PostRouting,
    };
    [
        ChainAttribute::Type(base.kind.to_owned()),
        ChainAttribute::Policy(NF_ACCEPT),
        ChainAttribute::Hook(vec![
            HookAttribute::Number(hook.into()),
            HookAttribute::Priority(base.priority.cast_unsigned()),
        ]),
    ]
}
