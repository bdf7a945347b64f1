//! What must hold after every operation, and what must come about when nothing more goes wrong.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use datastore::{Space, SpaceView};
use ipam::Family;
use ipam::cluster::{ClusterView, LoanState};
use ipam::local::{BlockState, LocalView, Origin};
use ipnet::IpNet;

use crate::node::request;
use crate::operations;
use crate::world::{GRACE, LINGER, World};

/// The store as it is, read as one view.
pub struct Truth {
    pub view: ClusterView,
}

impl Truth {
    pub fn new() -> Self {
        Truth {
            view: ClusterView::default(),
        }
    }

    pub fn read(&mut self, world: &World) {
        let listing = world
            .store
            .list_now(Space::Ownership)
            .expect("a store that works");
        self.view.refresh_ownership(&SpaceView::from(listing));
    }
}

/// Panics where an invariant does not hold.
pub fn check(world: &mut World, truth: &mut Truth) {
    truth.read(world);
    no_overlap(&truth.view);
    let now = world.now;
    let locals: Vec<LocalView> = world
        .nodes
        .iter_mut()
        .map(|node| {
            let clock = node.clock(now);
            node.ledger.local(clock)
        })
        .collect();
    let pods: Vec<(usize, IpAddr)> = (world.nodes.iter().enumerate())
        .flat_map(|(i, node)| {
            node.pods
                .values()
                .flat_map(move |pod| pod.addresses.iter().map(move |a| (i, *a)))
        })
        .collect();
    world.collected.retain(|(i, net)| {
        let in_ledger = locals[*i].blocks.iter().any(|b| b.block.cidr == *net)
            || locals[*i].borrowed.keys().any(|a| IpNet::from(*a) == *net);
        in_ledger || pods.iter().any(|(at, a)| at == i && net.contains(a))
    });
    let excused = |i: usize, address: &IpAddr| {
        world
            .collected
            .iter()
            .any(|(at, net)| *at == i && net.contains(address))
    };
    for (i, local) in locals.iter().enumerate() {
        blocks_are_owned(world, i, local, &truth.view);
        loans_are_set_aside(world, &locals, i, local, truth, &excused);
    }
    let mut holders: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (i, node) in world.nodes.iter().enumerate() {
        for (owner, pod) in &node.pods {
            for address in pod.addresses.iter().filter(|a| pod.alive && !excused(i, a)) {
                if let Some(other) = holders.insert(*address, i) {
                    panic!("{address} is given twice: by node-{other} and by node-{i}");
                }
                is_ours(world, i, &truth.view, *address);
            }
            let lease = locals[i].leases.iter().find(|lease| lease.owner == *owner);
            match lease {
                Some(lease) => assert_eq!(lease.addresses, pod.addresses, "node-{i} {owner}"),
                None => assert!(locals[i].fresh, "node-{i} lost the lease of {owner}"),
            }
        }
    }
}

/// No block overlaps another one, whatever sizes the pools had.
fn no_overlap(view: &ClusterView) {
    let mut last: Option<IpNet> = None;
    for (net, _) in view.owners() {
        if let Some(last) = last {
            assert!(
                !last.contains(&net) && !net.contains(&last),
                "{last} and {net} are both owned"
            );
        }
        last = Some(net);
    }
}

/// What a node gives addresses of, and so announces, it owns.
fn blocks_are_owned(world: &World, i: usize, local: &LocalView, view: &ClusterView) {
    for block in local
        .blocks
        .iter()
        .filter(|b| b.block.origin == Origin::Claimed && b.announced())
    {
        let cidr = block.block.cidr;
        let owner = view.owner(&cidr).map(|record| &record.node);
        let taken_away = world.collected.contains(&(i, cidr));
        assert!(
            taken_away || owner == Some(&world.nodes[i].name),
            "node-{i} uses {cidr} of {owner:?}"
        );
    }
}

/// An address that is borrowed is lent: by the record, and in the ledger of who owns its block now.
fn loans_are_set_aside(
    world: &World,
    locals: &[LocalView],
    i: usize,
    local: &LocalView,
    truth: &Truth,
    excused: &dyn Fn(usize, &IpAddr) -> bool,
) {
    for address in local.borrowed.keys().filter(|a| !excused(i, a)) {
        let loan = truth.view.loans().find(|loan| loan.address == *address);
        let held = loan.is_some_and(|l| l.borrower == world.nodes[i].name && l.state == LoanState::Held);
        assert!(held, "node-{i} has {address} without a loan: {loan:?}");
        let Some((net, record)) = truth
            .view
            .block_of(*address)
            .and_then(|(n, s)| Some((n, s.read()?)))
        else {
            continue;
        };
        let owner = world
            .nodes
            .iter()
            .position(|node| node.name == record.node)
            .expect("a node of this world");
        let taken = locals[owner].blocks.iter().any(|b| b.block.cidr == net);
        let aside = locals[owner]
            .lent
            .get(address)
            .is_some_and(|lent| lent.borrower == world.nodes[i].name);
        assert!(
            owner == i || !taken || aside,
            "{address} is with node-{i}, and node-{owner} does not know"
        );
    }
}

/// Nobody else may give the address of a living pod to another one.
fn is_ours(world: &World, i: usize, view: &ClusterView, address: IpAddr) {
    let node = &world.nodes[i];
    let given = node
        .given
        .iter()
        .any(|net| net.parse::<IpNet>().expect("a prefix").contains(&address));
    let owned = view
        .block_of(address)
        .and_then(|(_, s)| s.read())
        .is_some_and(|r| r.node == node.name);
    let on_loan = view.loans().any(|loan| {
        loan.address == address
            && loan.borrower == node.name
            && matches!(loan.state, LoanState::Lent | LoanState::Held)
    });
    assert!(
        given || owned || on_loan,
        "a pod of node-{i} has {address}, which is not the node's"
    );
}

/// Faults end. All nodes whose machine runs come back, and everything settles.
pub fn settle(world: &mut World, truth: &mut Truth) {
    world.note(|| "faults end".into());
    for i in 0..world.nodes.len() {
        world.nodes[i].reaches = true;
        if world.nodes[i].machine {
            operations::node_resource_comes(world, i);
            world.start(i);
        }
        operations::presence_ends(world, i);
    }
    while !world.flight.is_empty() {
        world.deliver(0, true);
        check(world, truth);
    }
    let enough = (GRACE * 2 + LINGER).as_secs() / 60 + 5;
    let mut calm = 0;
    for round in 0.. {
        assert!(round < 600, "it does not come to rest");
        world.now += Duration::from_secs(60);
        let mut any = false;
        for i in 0..world.nodes.len() {
            operations::reap(world, i);
            world.refresh(i, true);
            world.retry(i);
            operations::presence_ends(world, i);
            any |= world.decide(i, true);
            check(world, truth);
        }
        calm = if any { 0 } else { calm + 1 };
        if calm > enough {
            break;
        }
    }
    at_rest(world, truth);
}

/// What must have come about.
fn at_rest(world: &mut World, truth: &mut Truth) {
    truth.read(world);
    let now = world.now;
    for (net, record) in truth.view.owners() {
        let at = world
            .nodes
            .iter()
            .position(|n| n.name == record.node)
            .expect("a node of this world");
        let there = operations::has_node(world, at);
        assert!(there, "{net} of {}, which is gone, is still taken", record.node);
    }
    for loan in truth.view.loans() {
        let at = world
            .nodes
            .iter()
            .position(|n| n.name == loan.borrower)
            .expect("a node of this world");
        if !world.nodes[at].machine {
            assert!(operations::has_node(world, at), "{loan:?} of a node that is gone");
            continue;
        }
        let used = world.nodes[at]
            .pods
            .values()
            .any(|pod| pod.addresses.contains(&loan.address));
        assert!(used && loan.state == LoanState::Held, "dangling: {loan:?}");
    }
    for i in 0..world.nodes.len() {
        if !world.nodes[i].agent {
            continue;
        }
        let clock = world.nodes[i].clock(now);
        let local = world.nodes[i].ledger.local(clock);
        for block in &local.blocks {
            assert_eq!(
                block.block.state,
                BlockState::Open,
                "node-{i} is stuck with {block:?}"
            );
        }
        assert!(local.wants.is_empty(), "node-{i} {:?}", local.wants);
        serves_pods(world, i, &local);
    }
}

/// A node that can have blocks has them, and a new pod gets its addresses at once.
fn serves_pods(world: &mut World, i: usize, local: &LocalView) {
    let process = world.nodes[i].process.as_ref().expect("it was started");
    let facts = process
        .view
        .node(&world.nodes[i].name)
        .expect("it has a resource");
    let serving: Vec<(String, Family)> = (process.view.pools())
        .filter(|pool| pool.is_automatic() && pool.intent.serves(&facts.labels))
        .map(|pool| (pool.intent.name.clone(), Family::of(pool.intent.cidr.addr())))
        .collect();
    let full = Family::ALL.into_iter().any(|family| {
        let mut names = serving
            .iter()
            .filter(|(_, of)| *of == family)
            .map(|(name, _)| name)
            .peekable();
        let expected = names.peek().is_some();
        let names: Vec<&String> = names.collect();
        let room = |b: &ipam::local::BlockUse| {
            b.free > 0 && b.block.pool.as_ref().is_some_and(|p| names.contains(&p))
        };
        expected && !local.blocks.iter().any(room)
    });
    if full && world.nodes[i].given.is_empty() {
        // Then the node says why.
        let troubles = world.troubles(i);
        assert!(
            !troubles.is_empty(),
            "node-{i} has no room and does not say why: {local:?}"
        );
    }
    if full || serving.is_empty() {
        return;
    }
    let before = world.nodes[i].pods.len();
    world.pods_made += 1;
    let number = world.pods_made;
    world.add(i, request(number, Vec::new(), Vec::new(), None));
    let got = world.nodes[i].pods.len() > before;
    world.nodes[i].pending.clear();
    assert!(got, "node-{i} has room and gives none");
}
