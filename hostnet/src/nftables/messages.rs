//! Messages to the kernel: one batch that makes the table what is wanted, and the questions about it. Pure.
//!
//! A batch is one transaction (`linux/netfilter/nfnetlink.h`): all of it becomes true at one moment, or nothing does.

use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, Hook as HookAttribute, InetHookNumber, ListAttribute, NfTablesMessage,
    RuleAttribute, RuleMessage, TableAttribute, TableMessage,
};

use super::elements;
use super::error::Step;
use super::expressions::expressions;
use super::model::{Base, Chain, Hook, Rule, Ruleset, TABLE};

/// Flags of netlink beside the request itself (netlink(7)).
pub(super) const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;

/// One message of a batch, and what it does for the text of an error.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) step: Step,
    pub(super) flags: u16,
    pub(super) message: NfTablesMessage,
}

/// Makes the table anew, whatever it was: it is made if it is not there, removed with all that it holds, and made as it is to be.
pub(super) fn replace(wanted: &Ruleset) -> Vec<Change> {
    let table = |flags, message| Change {
        step: Step::Table,
        flags,
        message,
    };
    let mut changes = vec![
        table(NLM_F_CREATE, NfTablesMessage::NewTable(named())),
        table(0, NfTablesMessage::DeleteTable(named())),
        table(NLM_F_CREATE, NfTablesMessage::NewTable(commented(wanted.comment))),
    ];
    // Sets and chains before rules: a rule may jump to a chain further down.
    changes.extend(wanted.sets.iter().flat_map(elements::new_set));
    for chain in &wanted.chains {
        changes.push(Change {
            step: Step::Chain(chain.name, chain.purpose),
            flags: NLM_F_CREATE,
            message: NfTablesMessage::NewChain(new_chain(chain)),
        });
    }
    for chain in &wanted.chains {
        changes.extend(chain.rules.iter().map(|rule| Change {
            step: Step::Rule(rule.comment, chain.purpose),
            flags: NLM_F_CREATE | NLM_F_APPEND,
            message: NfTablesMessage::NewRule(new_rule(chain, rule)),
        }));
    }
    changes
}

/// Removes the table with all that it holds; an error where there is none.
pub(super) fn remove() -> Vec<Change> {
    vec![Change {
        step: Step::Table,
        flags: 0,
        message: NfTablesMessage::DeleteTable(named()),
    }]
}

/// Asks for the table.
pub(super) fn get_table() -> NfTablesMessage {
    NfTablesMessage::GetTable(named())
}

/// Asks for one chain of it.
pub(super) fn get_chain(name: &str) -> NfTablesMessage {
    let attributes = vec![
        ChainAttribute::Table(TABLE.to_owned()),
        ChainAttribute::Name(name.to_owned()),
    ];
    NfTablesMessage::GetChain(ChainMessage { attributes })
}

/// Asks for all rules of it.
pub(super) fn get_rules() -> NfTablesMessage {
    let attributes = vec![RuleAttribute::Table(TABLE.to_owned())];
    NfTablesMessage::GetRule(RuleMessage { attributes })
}

fn named() -> TableMessage {
    let attributes = vec![TableAttribute::Name(TABLE.to_owned())];
    TableMessage { attributes }
}

fn commented(comment: &str) -> TableMessage {
    let mut table = named();
    table
        .attributes
        .push(TableAttribute::UserData(comment_data(comment)));
    table
}

/// A comment as `nft` keeps it in what the kernel keeps for it: type 0, length, text with a NUL (libnftnl's `udata.h`).
pub(super) fn comment_data(comment: &str) -> Vec<u8> {
    let length = u8::try_from(comment.len() + 1).unwrap_or(u8::MAX);
    let text = comment.bytes().take(usize::from(length) - 1);
    [0, length].into_iter().chain(text).chain([0]).collect()
}

fn new_chain(chain: &Chain) -> ChainMessage {
    let mut attributes = vec![
        ChainAttribute::Table(TABLE.to_owned()),
        ChainAttribute::Name(chain.name.to_owned()),
    ];
    attributes.extend(chain.base.iter().flat_map(base_attributes));
    ChainMessage { attributes }
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

fn new_rule(chain: &Chain, rule: &Rule) -> RuleMessage {
    let expressions = rule.parts.iter().flat_map(expressions);
    let attributes = vec![
        RuleAttribute::Table(TABLE.to_owned()),
        RuleAttribute::Chain(chain.name.to_owned()),
        RuleAttribute::Expressions(expressions.map(ListAttribute::from).collect()),
        RuleAttribute::UserData(comment_data(rule.comment)),
    ];
    RuleMessage { attributes }
}
