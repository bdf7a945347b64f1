//! What the resources say about the addresses of this node's pods. Pure.

use std::collections::BTreeMap;

use config::intent::{Intent, IpPool, Node};
use ipam::local::{BlockState, OwnBlock};
use ipam::{Family, LocalRules, PoolRule};

/// The rules of the ledger for one node. `shared_out`: blocks are claimed in the datastore.
pub fn of(intent: &Intent, node: &Node, shared_out: bool) -> LocalRules {
    let rule = |pool: &IpPool| PoolRule {
        name: pool.name.clone(),
        cidr: pool.cidr,
        // Subnets that the resource gives to the node by name need no selector to serve its pods.
        open: match shared_out && node.pod_cidrs.is_empty() {
            true => pool.serves(&node.labels),
            false => !pool.disabled && pool.allowed_uses.workload,
        },
        automatic: pool.is_automatic(),
    };
    LocalRules {
        cool_down: intent.ipam.address_cool_down,
        reserved: intent
            .reservations
            .iter()
            .flat_map(|r| r.cidrs.iter().copied())
            .collect(),
        pools: intent.pools.iter().map(rule).collect(),
        shared_out,
    }
}

/// Pools that were named, by their names: a network (`10.1.0.0/16`) stands for the pool that has it.
pub fn by_name(intent: &Intent, named: &[String]) -> Vec<String> {
    let name = |text: &String| {
        let net: Option<ipnet::IpNet> = text.parse().ok();
        let pool = intent.pools.iter().find(|pool| Some(pool.cidr) == net);
        pool.map_or_else(|| text.clone(), |pool| pool.name.clone())
    };
    named.iter().map(name).collect()
}

/// The pools that a pod of this namespace, which has these labels, may have addresses of: empty for any, an error where
/// there are none.
pub fn pools_for(
    intent: &Intent,
    node: &Node,
    namespace: Option<&str>,
    labels: &BTreeMap<String, String>,
) -> Result<Vec<String>, String> {
    let automatic = intent
        .pools
        .iter()
        .filter(|p| p.is_automatic() && p.serves(&node.labels));
    let (fit, other): (Vec<&IpPool>, Vec<&IpPool>) =
        automatic.partition(|p| p.serves_namespace(namespace.unwrap_or_default(), labels));
    match (fit.as_slice(), other.as_slice()) {
        (_, []) => Ok(Vec::new()),
        ([], _) => Err(format!(
            "no pool of this node is for pods of namespace {}",
            namespace.unwrap_or("(unknown)")
        )),
        _ => Ok(fit.into_iter().map(|p| p.name.clone()).collect()),
    }
}

/// Families of which every pod gets an address and this node has no block that gives any.
pub fn families_without_block(intent: &Intent, node: &Node, blocks: &[OwnBlock]) -> Vec<Family> {
    let of = |cidr: &ipnet::IpNet| Family::of(cidr.addr());
    let open = |b: &OwnBlock| b.state == BlockState::Open;
    let missing = |family: &Family| {
        let serves = |p: &IpPool| of(&p.cidr) == *family && p.is_automatic() && p.serves(&node.labels);
        let given = node.pod_cidrs.iter().any(|cidr| of(cidr) == *family);
        intent.pools.iter().any(serves) && !given && !blocks.iter().any(|b| open(b) && of(&b.cidr) == *family)
    };
    Family::ALL.into_iter().filter(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_lacks_a_block_where_a_pool_serves_it_and_none_is_open() {
        let intent = intent("disabled: false");
        let node = intent.nodes.values().next().unwrap().clone();
        let mut block = OwnBlock {
            cidr: "10.1.0.0/26".parse().unwrap(),
            pool: Some("a".into()),
            origin: ipam::local::Origin::Claimed,
            state: BlockState::Open,
        };
        let missing = |node: &Node, blocks: &[OwnBlock]| families_without_block(&intent, node, blocks);
        assert_eq!(missing(&node, &[]), [Family::V4]);
        assert_eq!(missing(&node, std::slice::from_ref(&block)), []);
        block.state = BlockState::Leaving;
        assert_eq!(missing(&node, &[block]), [Family::V4]);
        let mut given = node.clone();
        given.pod_cidrs = vec!["10.1.9.0/24".parse().unwrap()];
        assert_eq!(missing(&given, &[]), []);
    }

    fn intent(selector: &str) -> Intent {
        let text = format!(
            "{{apiVersion: roadbed.dev/v1, kind: IPPool, metadata: {{name: a}}, spec: {{cidr: 10.1.0.0/16}}}}\n---\n\
             {{apiVersion: roadbed.dev/v1, kind: IPPool, metadata: {{name: b}}, spec: {{cidr: 10.2.0.0/16, {selector}}}}}\n---\n\
             {{apiVersion: roadbed.dev/v1, kind: Node, metadata: {{name: n}}, spec: {{bgp: {{ipv4Address: 192.0.2.1/24}}}}}}"
        );
        let source = config::Source {
            name: "test".into(),
            text,
        };
        let loaded = config::load_with(&[source], config::Rules { shared_out: true });
        loaded.intent.unwrap_or_else(|| panic!("{:#?}", loaded.problems))
    }

    fn pools(intent: &Intent, namespace: Option<&str>) -> Result<Vec<String>, String> {
        pools_for(
            intent,
            intent.nodes.values().next().unwrap(),
            namespace,
            &BTreeMap::new(),
        )
    }

    #[test]
    fn a_pool_is_named_by_its_network_as_well() {
        let named = ["10.2.0.0/16", "a", "10.9.0.0/16"].map(String::from);
        assert_eq!(
            by_name(&intent("disabled: false"), &named),
            ["b", "a", "10.9.0.0/16"]
        );
    }

    #[test]
    fn a_pool_is_for_namespaces_with_a_label() {
        let intent = intent("namespaceSelector: tier == 'db'");
        let node = intent.nodes.values().next().unwrap();
        let of = |tier: &str| {
            let labels = [("tier".to_owned(), tier.to_owned())].into();
            pools_for(&intent, node, Some("shop"), &labels)
        };
        assert_eq!(of("db"), Ok(Vec::new()));
        assert_eq!(of("web"), Ok(vec!["a".into()]));
    }

    #[test]
    fn pools_without_a_selector_are_for_everyone() {
        assert_eq!(pools(&intent("disabled: false"), Some("x")), Ok(Vec::new()));
        assert_eq!(pools(&intent("assignmentMode: Manual"), None), Ok(Vec::new()));
    }

    #[test]
    fn a_pool_for_a_namespace_serves_no_other() {
        let intent = intent("namespaceSelector: kubernetes.io/metadata.name == 'db'");
        assert_eq!(pools(&intent, Some("web")), Ok(vec!["a".into()]));
        assert_eq!(pools(&intent, None), Ok(vec!["a".into()]));
        assert_eq!(pools(&intent, Some("db")), Ok(Vec::new()));
        let mut only = intent.clone();
        only.pools.retain(|p| p.name == "b");
        assert!(pools(&only, Some("web")).unwrap_err().contains("web"));
    }

    #[test]
    fn given_subnets_need_no_selector() {
        let mut intent = intent("nodeSelector: rack == 'r9'");
        let node = |intent: &Intent| intent.nodes.values().next().unwrap().clone();
        let open = |intent: &Intent, shared| {
            of(intent, &node(intent), shared)
                .pools
                .iter()
                .map(|p| p.open)
                .collect::<Vec<_>>()
        };
        assert_eq!(open(&intent, true), [true, false]);
        assert_eq!(open(&intent, false), [true, true]);
        intent.pools[0].disabled = true;
        assert_eq!(open(&intent, false), [false, true]);
    }
}
