use bgpd_proto::rib::{PathKind, PathView};
use bgpd_proto::wire::{AsPath, PathAttributes};
use config::load::{Source, load};

use super::*;
use crate::decide::routes::Origin;
use crate::plan::{Ownership, Passwords, compile};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> BTreeSet<IpNet> {
    texts.iter().map(|text| net(text)).collect()
}

/// Node a with the block 10.244.1.0/24.
fn plan() -> Plan {
    let text = "
apiVersion: roadbed.dev/v1
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16 }
---
apiVersion: roadbed.dev/v1
kind: Node
metadata: { name: a }
spec: { bgp: { ipv4Address: 192.0.2.11/24 }, podCIDRs: [10.244.1.0/24] }
";
    let loaded = load(&[Source {
        name: "test".into(),
        text: text.into(),
    }]);
    let intent = loaded.intent.unwrap();
    let name = "a".parse().unwrap();
    compile(
        &intent,
        &name,
        &Ownership::of_resources(&intent, &name),
        &Passwords::new(),
    )
    .unwrap()
}

/// A node as `a`, or an AS as `65001`.
fn decision(owner: &str) -> RouteDecision {
    let asn = owner.parse().ok().map(Asn);
    let attributes = PathAttributes {
        as_path: AsPath::sequence([Asn(65000)].into_iter().chain(asn)),
        ..PathAttributes::default()
    };
    RouteDecision {
        origin: Origin::External,
        best: Some(PathView {
            peer: None,
            kind: PathKind::External,
            next_hop: None,
            attributes: Arc::new(attributes),
            learned: None,
            priority: None,
        }),
        node: (asn.is_none()).then(|| owner.parse().unwrap()),
        encapsulation: None,
        reason: "".into(),
        kernel: None,
    }
}

/// What is followed, with what it follows.
struct Story {
    plan: Plan,
    owners: Owners,
    routes: BTreeMap<IpNet, RouteDecision>,
    pods: Arc<Vec<PodLink>>,
    settled: bool,
}

impl Story {
    fn new(routes: &[(&str, &str)]) -> Story {
        let mut story = Story {
            plan: plan(),
            owners: Owners::default(),
            routes: BTreeMap::new(),
            pods: Arc::default(),
            settled: true,
        };
        for (prefix, owner) in routes {
            story.routes.insert(net(prefix), decision(owner));
        }
        assert_eq!(
            story.follow(Extent::default()),
            Moves::default(),
            "the first look"
        );
        story
    }

    fn follow(&mut self, changed: Extent) -> Moves {
        self.owners
            .follow(&self.plan, &self.pods, &self.routes, &changed, self.settled)
    }

    /// Routes come (with an owner) and go (with none). What has moved, whether one looks at these or at everything.
    fn moved(&mut self, changes: &[(&str, Option<&str>)]) -> BTreeSet<IpNet> {
        for (prefix, owner) in changes {
            match owner {
                Some(owner) => self.routes.insert(net(prefix), decision(owner)),
                None => self.routes.remove(&net(prefix)),
            };
        }
        let changed = changes.iter().map(|(prefix, _)| net(prefix)).collect();
        let moves = self.follow(Extent::Only(changed));
        assert_eq!(moves.gone, BTreeSet::new());
        assert_eq!(
            self.follow(Extent::All),
            Moves::default(),
            "nothing is left for a second look"
        );
        moves.moved
    }

    fn pods(&mut self, pods: &[(&str, &str)]) -> Moves {
        let pod = |(address, link): &(&str, &str)| PodLink {
            addresses: vec![address.parse().unwrap()],
            interface: (*link).into(),
        };
        self.pods = Arc::new(pods.iter().map(pod).collect());
        self.follow(Extent::default())
    }
}

#[test]
fn a_block_moves_when_another_node_has_it() {
    let mut story = Story::new(&[("10.244.2.0/24", "b")]);
    assert_eq!(story.moved(&[("10.244.2.0/24", Some("b"))]), nets(&[]));
    assert_eq!(
        story.moved(&[("10.244.2.0/24", Some("c"))]),
        nets(&["10.244.2.0/24"])
    );
    assert_eq!(
        story.moved(&[("10.244.9.0/24", Some("b"))]),
        nets(&[]),
        "it is new"
    );
    assert_eq!(story.moved(&[("192.0.2.0/24", Some("b"))]), nets(&[]));
    assert_eq!(
        story.moved(&[("192.0.2.0/24", Some("c"))]),
        nets(&[]),
        "outside the pools"
    );
}

#[test]
fn what_comes_back_has_not_moved() {
    let mut story = Story::new(&[("10.244.2.0/24", "b")]);
    assert_eq!(story.moved(&[("10.244.2.0/24", None)]), nets(&[]));
    assert_eq!(story.moved(&[("10.244.2.0/24", Some("b"))]), nets(&[]));
    assert_eq!(story.moved(&[("10.244.2.0/24", None)]), nets(&[]));
    assert_eq!(
        story.moved(&[("10.244.2.0/24", Some("c"))]),
        nets(&["10.244.2.0/24"])
    );
}

#[test]
fn an_address_leaves_its_block_and_returns() {
    let mut story = Story::new(&[("10.244.2.0/24", "b"), ("10.244.3.0/24", "c")]);
    let address = "10.244.2.7/32";
    assert_eq!(story.moved(&[(address, Some("c"))]), nets(&[address]));
    assert_eq!(story.moved(&[(address, Some("d"))]), nets(&[address]));
    assert_eq!(
        story.moved(&[(address, None)]),
        nets(&[address]),
        "b has it again"
    );
    assert_eq!(
        story.moved(&[(address, Some("b"))]),
        nets(&[address]),
        "d was the last to have it alone"
    );
    assert_eq!(story.moved(&[(address, None)]), nets(&[]));
}

#[test]
fn ases_are_told_apart_and_not_compared_with_nodes() {
    let mut story = Story::new(&[("10.244.2.0/24", "65002"), ("10.244.0.0/16", "65009")]);
    assert_eq!(story.moved(&[("10.244.3.0/24", Some("65003"))]), nets(&[]));
    assert_eq!(
        story.moved(&[("10.244.2.9/32", Some("65003"))]),
        nets(&[]),
        "an aggregate owns nothing"
    );
    assert_eq!(story.moved(&[("10.244.2.0/24", Some("b"))]), nets(&[]));
    assert_eq!(story.moved(&[("10.244.2.0/24", Some("65003"))]), nets(&[]));
    assert_eq!(
        story.moved(&[("10.244.2.0/24", Some("65004"))]),
        nets(&["10.244.2.0/24"])
    );
}

#[test]
fn pods_of_this_node_come_and_go() {
    let mut story = Story::new(&[("10.244.2.0/24", "b"), ("10.244.0.0/16", "b")]);
    let moves = |gone: &[&str], moved: &[&str]| Moves {
        gone: nets(gone),
        moved: nets(moved),
    };
    assert_eq!(
        story.pods(&[("10.244.1.5", "rb1")]),
        moves(&[], &[]),
        "new in our own block"
    );
    let outside = [("10.244.1.5", "rb1"), ("172.16.0.1", "rb9")];
    assert_eq!(story.pods(&outside), moves(&[], &[]));
    assert_eq!(
        story.pods(&[("10.244.1.5", "rb2")]),
        moves(&[], &["10.244.1.5/32"]),
        "the next pod"
    );
    assert_eq!(story.pods(&[]), moves(&["10.244.1.5/32"], &[]));
    assert_eq!(
        story.moved(&[("10.244.1.5/32", Some("b"))]),
        nets(&["10.244.1.5/32"]),
        "it moved to b"
    );
    assert_eq!(
        story.pods(&[("10.244.1.5", "rb3")]),
        moves(&[], &["10.244.1.5/32"]),
        "and back"
    );
    assert_eq!(
        story.pods(&[("10.244.1.5", "rb3"), ("10.244.2.5", "rb4")]),
        moves(&[], &["10.244.2.5/32"]),
        "out of b's block"
    );
}

#[test]
fn an_address_that_left_and_is_announced_elsewhere_has_moved() {
    let mut story = Story::new(&[]);
    story.pods(&[("10.244.1.5", "rb1")]);
    // The other node has announced it before it is gone here.
    assert_eq!(
        story.moved(&[("10.244.1.5/32", Some("b"))]),
        nets(&[]),
        "ours come first"
    );
    let moves = story.pods(&[]);
    assert_eq!(
        (moves.gone, moves.moved),
        (nets(&["10.244.1.5/32"]), nets(&["10.244.1.5/32"]))
    );
}

#[test]
fn before_all_peers_have_spoken_only_pods_are_compared() {
    let mut story = Story::new(&[("10.244.2.0/24", "b")]);
    story.settled = false;
    assert_eq!(
        story.moved(&[("10.244.2.7/32", Some("c")), ("10.244.2.0/24", Some("d"))]),
        nets(&[])
    );
    story.pods(&[("10.244.1.5", "rb1")]);
    assert_eq!(story.pods(&[]).gone, nets(&["10.244.1.5/32"]));
    story.settled = true;
    assert_eq!(story.moved(&[("10.244.2.7/32", Some("c"))]), nets(&[]));
}
