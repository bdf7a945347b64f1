//! Settings of Calico's data plane (`FelixConfiguration`) that say something about forwarding. Roadbed has no such
//! resource; those set to something else than what Roadbed does are named, each with what to do.

use serde::Serialize;
use serde_json::Value;

use super::snapshot::Document;

/// A setting that means something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// Name of the resource: `default`, or `node.NAME`.
    pub resource: String,
    /// Path of the field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What Roadbed does.
    pub message: String,
    /// What to do; may be empty.
    pub advice: String,
    /// Whether forwarding would change.
    pub changes_forwarding: bool,
}

/// One field: name, the values that change nothing, whether forwarding changes, what Roadbed does, what to do.
struct Known(
    &'static str,
    &'static [&'static str],
    bool,
    &'static str,
    &'static str,
);

const KNOWN: &[Known] = &[
    Known(
        "vxlanVNI",
        &["4096"],
        true,
        "Roadbed's VXLAN has VNI 4096 unless its BGPConfiguration says otherwise",
        "write the same number as vxlanVNI of the BGPConfiguration",
    ),
    Known(
        "vxlanPort",
        &["4789"],
        true,
        "Roadbed's VXLAN has UDP port 4789 unless its BGPConfiguration says otherwise",
        "write the same number as vxlanPort of the BGPConfiguration",
    ),
    Known(
        "bpfEnabled",
        &["false"],
        true,
        "Roadbed does not take the place of kube-proxy",
        "run kube-proxy again before eBPF is switched off",
    ),
    Known(
        "wireguardEnabled",
        &["false"],
        true,
        "Roadbed encrypts nothing",
        "encrypt below it, or keep Calico",
    ),
    Known(
        "wireguardEnabledV6",
        &["false"],
        true,
        "Roadbed encrypts nothing",
        "encrypt below it, or keep Calico",
    ),
    Known(
        "floatingIPs",
        &["Disabled"],
        true,
        "Roadbed has no floating addresses",
        "use a service",
    ),
    Known(
        "natOutgoingAddress",
        &[],
        true,
        "Roadbed has no address of your choice for masquerading",
        "masquerade at the border",
    ),
    Known(
        "natPortRange",
        &[],
        true,
        "Roadbed has no port range of your choice for masquerading",
        "masquerade at the border",
    ),
    Known(
        "natOutgoingExclusions",
        &["IPPoolsAndHostIPs"],
        true,
        "Roadbed leaves packets to addresses of nodes alone, as IPPoolsAndHostIPs does",
        "nodes see the pods' own addresses: see to it that they may come in",
    ),
    Known(
        "serviceLoopPrevention",
        &["Disabled"],
        false,
        "Roadbed drops nothing that is sent to unused service addresses",
        "",
    ),
    Known(
        "defaultEndpointToHostAction",
        &["Accept", "RETURN", "Return"],
        false,
        "Roadbed filters nothing from pods to their node",
        "use a policy engine where that matters",
    ),
    Known(
        "deviceRouteSourceAddress",
        &[],
        false,
        "routes to pods have the node's own pod address as source",
        "",
    ),
    Known("mtu", &["0"], false, MTU, ""),
    Known("vxlanMTU", &["0"], false, MTU, ""),
    Known("vxlanMTUV6", &["0"], false, MTU, ""),
    Known("ipipMTU", &["0"], false, MTU, ""),
    Known("vxlanEnabled", &[], false, "the mode of each pool decides", ""),
    Known("ipipEnabled", &[], false, "the mode of each pool decides", ""),
];

const MTU: &str = "the MTU of tunnel devices follows from that of the uplink";

/// The settings of these resources that mean something, and the names of all others.
pub fn settings(documents: &[Document]) -> (Vec<Setting>, Vec<String>) {
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for document in documents {
        let fields = document.value.get("spec").and_then(Value::as_object);
        for (name, value) in fields.into_iter().flatten() {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match KNOWN.iter().find(|known| known.0 == name) {
                Some(known) if !known.1.contains(&value.as_str()) => found.push(Setting {
                    resource: document.name.clone(),
                    field: format!("spec.{name}"),
                    value,
                    message: known.3.to_owned(),
                    advice: known.4.to_owned(),
                    changes_forwarding: known.2,
                }),
                Some(_) => {}
                None => others.push(format!("spec.{name}")),
            }
        }
    }
    others.sort();
    others.dedup();
    (found, others)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let document = Document {
            kind: "FelixConfiguration".into(),
            name: "default".into(),
            value: json!({ "spec": { "vxlanVNI": 4097, "vxlanPort": 4789, "bpfEnabled": false, "bpfLogLevel": "",
                "natPortRange": "32768:65535", "logSeverityScreen": "Info" } }),
        };
        let (found, others) = settings(&[document]);
        let fields: Vec<_> = found
            .iter()
            .map(|s| (s.field.as_str(), s.value.as_str(), s.changes_forwarding))
            .collect();
        assert_eq!(
            fields,
            [
                ("spec.natPortRange", "32768:65535", true),
                ("spec.vxlanVNI", "4097", true)
            ]
        );
        assert_eq!(others, ["spec.bpfLogLevel", "spec.logSeverityScreen"]);
    }
}
