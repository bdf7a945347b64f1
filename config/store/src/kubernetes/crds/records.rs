//! The records of who owns what. Programs write them; their form belongs to the crate `ipam`, so their
//! schema keeps everything, and the columns are what `kubectl get` shows of it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! record {
    ($spec:ident, $kind:literal, $plural:literal, $singular:literal, $doc:literal, [$($column:literal = $path:literal),*]) => {
        #[doc = $doc]
        #[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[kube(
            group = "roadbed.dev",
            version = "v1",
            kind = $kind,
            doc = $doc,
            plural = $plural,
            singular = $singular,
            category = "roadbed-ipam",
            $(printcolumn(name = $column, type_ = "string", json_path = $path),)*
            printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
        )]
        #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
        pub struct $spec {}
    };
}

record!(
    IpamBlockSpec,
    "IPAMBlock",
    "ipamblocks",
    "ipamblock",
    "The owner of a block of pod addresses. Written by agents only.",
    ["Pool" = ".spec.pool", "Node" = ".spec.node"]
);

record!(
    IpamAggregateSpec,
    "IPAMAggregate",
    "ipamaggregates",
    "ipamaggregate",
    "The label value whose nodes have the blocks of a range. Written by agents only.",
    ["Pool" = ".spec.pool", "Value" = ".spec.value"]
);

record!(
    IpamLoanSpec,
    "IPAMLoan",
    "ipamloans",
    "ipamloan",
    "An address lent by the owner of its block to another node. Written by agents only.",
    [
        "Lender" = ".spec.lender",
        "Borrower" = ".spec.borrower",
        "State" = ".spec.state"
    ]
);

record!(
    IpamStickySpec,
    "IPAMSticky",
    "ipamstickies",
    "ipamsticky",
    "The addresses that follow a workload. Written by agents only.",
    ["Workload" = ".spec.workload", "Node" = ".spec.node"]
);

record!(
    IpamAddressSpec,
    "IPAMAddress",
    "ipamaddresses",
    "ipamaddress",
    "One address as a node gave it out: a mirror. Written by agents only.",
    ["Node" = ".spec.node", "Pod" = ".spec.pod"]
);
