//! The rights that the manifests grant are those that the parts say they need.

use std::collections::BTreeSet;

/// Group, resource, verb, namespace, names.
type Granted = BTreeSet<(String, String, String, Option<String>, Vec<String>)>;

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_node_is_granted_what_it_says_it_needs() {
    let mut needed = Granted::new();
    for access in kubernetes::access() {
        let namespace = access.namespace.map(str::to_owned);
        let each = access.verbs.iter().map(|verb| {
            let [group, resource, verb] = [access.group, access.resource, verb].map(str::to_owned);
            (group, resource, verb, namespace.clone(), owned(access.names))
        });
        needed.extend(each);
    }
    let mut granted = Granted::new();
    for rule in store::kubernetes::access::node() {
        let namespace = rule.namespace.map(str::to_owned);
        let each = rule.verbs.iter().map(|verb| {
            let (group, verb) = (rule.group.to_owned(), (*verb).to_owned());
            (
                group,
                rule.resource.clone(),
                verb,
                namespace.clone(),
                owned(rule.names),
            )
        });
        granted.extend(each);
    }
    assert_eq!(granted, needed);
}
