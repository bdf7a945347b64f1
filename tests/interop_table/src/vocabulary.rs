//! The two axes of the table.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A router of another make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // their own names
pub enum Make {
    Frr,
    Bird,
    Gobgp,
    Openbgpd,
    Exabgp,
}

impl Make {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Make; 5] = [Make::Frr, Make::Bird, Make::Gobgp, Make::Openbgpd, Make::Exabgp];

    /// The name as a word of a file name.
    pub fn key(self) -> &'static str {
        match self {
            Make::Frr => "frr",
            Make::Bird => "bird",
            Make::Gobgp => "gobgp",
            Make::Openbgpd => "openbgpd",
            Make::Exabgp => "exabgp",
        }
    }
}

impl fmt::Display for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Make::Frr => "FRR",
            Make::Bird => "BIRD",
            Make::Gobgp => "GoBGP",
            Make::Openbgpd => "OpenBGPD",
            Make::Exabgp => "ExaBGP",
        })
    }
}

/// Makes the enum together with its list, the words of file names, and what the table says.
macro_rules! features {
    ($($name:ident, $key:literal, $text:literal;)*) => {
        /// Something that two speakers can do for each other: a row of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Feature {
            $(#[doc = $text] #[serde(rename = $key)] $name,)*
        }

        impl Feature {
            /// All of them, in the order of the table's rows.
            pub const ALL: &'static [Feature] = &[$(Feature::$name),*];

            /// The name as a word of a file name.
            pub fn key(self) -> &'static str {
                match self { $(Feature::$name => $key),* }
            }
        }

        impl fmt::Display for Feature {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Feature::$name => $text),* })
            }
        }
    };
}

features! {
    External, "external", "IPv4 and IPv6 routes over one eBGP session of IPv4, both ways, withdrawn and announced again";
    Internal, "internal", "the same over iBGP";
    ExternalV6, "external-v6", "IPv6 routes over an eBGP session of IPv6";
    NextHopV6, "next-hop-v6", "the next hop of our IPv6 routes over a session of IPv4 is our IPv6 address, on the wire (RFC 4760)";
    Communities, "communities", "standard, large and extended communities, from them through us and back to them, unchanged (RFC 1997, 4360, 8092)";
    NoExport, "no-export", "their NO_EXPORT holds at our eBGP sessions (RFC 1997)";
    AsksRefresh, "asks-refresh", "they ask, and our routes come again; no session is reset (RFC 2918)";
    WeAskRefresh, "we-ask-refresh", "we ask, and their routes come again; no session is reset (RFC 2918)";
    WeMark, "we-mark", "our answer stands between marks of its begin and end (RFC 7313)";
    TheyMark, "they-mark", "so does theirs (RFC 7313)";
    TheyReflect, "they-reflect", "they reflect between two of our nodes: cluster and originator are on the wire, and our loop check finds them (RFC 4456)";
    WeReflect, "we-reflect", "we reflect between two of theirs: they see cluster and originator (RFC 4456)";
    ClusterLoop, "cluster-loop", "what we reflect in their own cluster, they refuse (RFC 4456)";
    AddPath, "add-path", "several paths to a prefix from them, used together, one withdrawn (RFC 7911)";
    WeAddPath, "we-add-path", "several paths to a prefix from us, each withdrawn and announced again (RFC 7911)";
    Malformed, "malformed", "malformed and unknown attributes from them: the session stays, routes beside are unharmed (RFC 7606)";
    ShutdownText, "shutdown-text", "the text of their shutdown is shown by `roadbed peers` (RFC 9003)";
    Password, "password", "TCP MD5: a wrong password does not get in, the right one does, and a change ends the session; all our packets are signed (RFC 2385)";
    TtlSecurity, "ttl-security", "TTL security at both ends, every packet of ours with 255 (RFC 5082)";
    Roles, "roles", "roles are said and agreed on (RFC 9234)";
    Bfd, "bfd", "BFD at 100 ms three times finds a router of theirs that hangs (RFC 5880, 5881)";
    Unnumbered, "unnumbered", "links without addresses: peers are found by their interface, IPv4 routes go over IPv6 next hops, and two links share the traffic (RFC 8950)";
    WeRestart, "we-restart", "the agent ends, is killed, and comes back: they keep our routes (RFC 4724)";
    TheyRestart, "they-restart", "they are killed and come back: we keep their routes (RFC 4724)";
}
