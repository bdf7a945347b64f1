//! Messages to the kernel: one batch that makes the table what is wanted, and the questions about it. Pure.
//!
//! A batch is one transaction (`linux/netfilter/nfnetlink.h`): all of it becomes true at one moment, or nothing does.

use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, ListAttribute, NfTablesMessage, RuleAttribute, RuleMessage, TableAttribute,
    TableMessage,
};

use super::attributes::{Change, NLM_F_CREATE, base_attributes, comment_data};
use super::compare::Parts;
use super::elements::{self, Update};
use super::error::Step;
use super::expressions::expressions;
use super::model::{Chain, Rule, Ruleset, TABLE};

/// To what is in the chain already (netlink(7)).
const NLM_F_APPEND: u16 = 0x800;

/// Makes the table anew, whatever it was: it is made if it is not there, removed with all that it holds, and made as it is to be.
///
/// For packets that is not quite one moment. While it reads the batch, the kernel puts a new chain before the old one of the same
/// place, without rules so far; when all has become true it takes the old one out, also for packets on their way. Who was at the
/// new one before that moment, and comes to the old one after it, meets neither. So this is only for tables that [`repair`], which
/// keeps the chains, cannot mend.
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
    changes.extend(wanted.chains.iter().map(make_chain));
    changes.extend(wanted.chains.iter().flat_map(make_rules));
    changes
}

/// Makes those parts of the table what they are to be that are not: what others jump to and look into goes last and comes first.
/// A packet goes through a chain that stays, and all that it jumps to, by its old rules or by its new ones.
pub(super) fn repair(parts: &Parts<'_>) -> Vec<Change> {
    let mut changes: Vec<_> = parts.empty.iter().map(|name| delete_rules(name)).collect();
    changes.extend(parts.delete_chains.iter().map(|name| delete_chain(name)));
    changes.extend(parts.delete_sets.iter().map(|name| elements::delete_set(name)));
    changes.extend(parts.new_sets.iter().copied().flat_map(elements::new_set));
    changes.extend(parts.updates.iter().flat_map(Update::changes));
    changes.extend(parts.new_chains.iter().copied().map(make_chain));
    changes.extend(parts.fill.iter().copied().flat_map(make_rules));
    changes
}

fn make_chain(chain: &Chain) -> Change {
    Change {
        step: Step::Chain(chain.name, chain.purpose),
        flags: NLM_F_CREATE,
        message: NfTablesMessage::NewChain(new_chain(chain)),
    }
}

fn make_rules(chain: &Chain) -> impl Iterator<Item = Change> + '_ {
    chain.rules.iter().map(move |rule| Change {
        step: Step::Rule(rule.comment, chain.purpose),
        flags: NLM_F_CREATE | NLM_F_APPEND,
        message: NfTablesMessage::NewRule(new_rule(chain, rule)),
    })
}

fn delete_chain(name: &str) -> Change {
    let attributes = vec![
        ChainAttribute::Table(TABLE.to_owned()),
        ChainAttribute::Name(name.to_owned()),
    ];
    Change {
        step: Step::Batch,
        flags: 0,
        message: NfTablesMessage::DeleteChain(ChainMessage { attributes }),
    }
}

/// Removes all rules of a chain.
fn delete_rules(chain: &str) -> Change {
    let attributes = vec![
        RuleAttribute::Table(TABLE.to_owned()),
        RuleAttribute::Chain(chain.to_owned()),
    ];
    Change {
        step: Step::Batch,
        flags: 0,
        message: NfTablesMessage::DeleteRule(RuleMessage { attributes }),
    }
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

/// Asks for all chains, those of other tables too: the kernel knows no narrower question.
pub(super) fn get_chains() -> NfTablesMessage {
    NfTablesMessage::GetChain(ChainMessage {
        attributes: Vec::new(),
    })
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

fn new_chain(chain: &Chain) -> ChainMessage {
    let mut attributes = vec![
        ChainAttribute::Table(TABLE.to_owned()),
        ChainAttribute::Name(chain.name.to_owned()),
    ];
    attributes.extend(chain.base.iter().flat_map(base_attributes));
    ChainMessage { attributes }
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
