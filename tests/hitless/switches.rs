//! What the switches run: FRR, BIRD or GoBGP of the distribution, each with graceful restart.
//!
//! All switches share an AS, so that paths over them are alike and used side by side. FRR and BIRD put what they learn into their
//! kernel; GoBGP has no hand there, so its kernel gets fixed routes, and it speaks BGP only.

use super::racks::BLOCKS;

/// Which program a switch runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Frr,
    Bird,
    Gobgp,
}

impl Make {
    /// How it is started, where the lab does not know it.
    pub fn command(self) -> &'static str {
        match self {
            Make::Frr => "",
            Make::Bird => "bird -f -c /etc/tor1.conf -s /run/bird.ctl -P /run/bird.pid",
            Make::Gobgp => "gobgpd -f /etc/tor1.conf --api-hosts 127.0.0.1:50051",
        }
    }

    /// Whether it puts what it learns into its kernel.
    pub fn installs(self) -> bool {
        self != Make::Gobgp
    }

    /// What the kernel of switch `s` is given besides its addresses.
    pub fn exec(self, s: u8) -> Vec<String> {
        let mut lines = Vec::new();
        if self != Make::Frr {
            lines.push("ip link set lo up".to_owned());
            lines.push("sysctl -qw net.ipv4.ip_forward=1".to_owned());
        }
        if !self.installs() {
            let to_node = |(n, block)| format!("ip route add {block} via 198.18.{s}{n}.2 proto static");
            lines.extend((1..).zip(BLOCKS).map(to_node));
        }
        lines
    }

    /// Its configuration as switch `s`.
    pub fn config(self, s: u8, hold: u8) -> String {
        match self {
            Make::Frr => frr(s, hold),
            Make::Bird => bird(s, hold),
            Make::Gobgp => gobgp(s, hold),
        }
    }
}

fn frr(s: u8, hold: u8) -> String {
    let mut text = format!(
        "frr defaults traditional\nlog stdout warnings\n!\n\
         ip route 192.0.2.11/32 198.18.{s}1.2\nip route 192.0.2.12/32 198.18.{s}2.2\n!\n\
         router bgp 65001\n bgp router-id 198.18.{s}1.1\n no bgp ebgp-requires-policy\n bgp graceful-restart\n \
         bgp graceful-restart preserve-fw-state\n timers bgp {} {hold}\n",
        hold / 3
    );
    for n in 1..=2 {
        let peer = format!("198.18.{s}{n}.2");
        text += &format!(
            " neighbor {peer} remote-as 6460{n}\n neighbor {peer} disable-connected-check\n \
             neighbor {peer} timers connect 1\n neighbor {peer} advertisement-interval 0\n"
        );
    }
    text + "exit\n"
}

fn bird(s: u8, hold: u8) -> String {
    let mut text = format!(
        "router id 198.18.{s}1.1;\nprotocol device {{ scan time 1; }}\n\
         protocol direct {{ ipv4; interface \"eth*\"; }}\n\
         protocol kernel {{ ipv4 {{ import none; export where source ~ [ RTS_BGP, RTS_STATIC ]; }}; }}\n\
         protocol static {{ ipv4;\n route 192.0.2.11/32 via 198.18.{s}1.2;\n route 192.0.2.12/32 via 198.18.{s}2.2;\n}}\n"
    );
    for n in 1..=2 {
        text += &format!(
            "protocol bgp n{n} {{\n local 198.18.{s}{n}.1 as 65001;\n neighbor 198.18.{s}{n}.2 as 6460{n};\n \
             multihop 2;\n hold time {hold}; keepalive time {};\n \
             connect delay time 1; connect retry time 1; error wait time 1,5;\n graceful restart on;\n \
             ipv4 {{ import all; export where source = RTS_BGP; next hop self; gateway recursive; }};\n}}\n",
            hold / 3
        );
    }
    text
}

fn gobgp(s: u8, hold: u8) -> String {
    let mut text = format!("[global.config]\nas = 65001\nrouter-id = \"198.18.{s}1.1\"\nport = 179\n");
    for n in 1..=2 {
        text += &format!(
            "[[neighbors]]\n\
             [neighbors.config]\nneighbor-address = \"198.18.{s}{n}.2\"\npeer-as = 6460{n}\n\
             [neighbors.timers.config]\nhold-time = {hold}\nkeepalive-interval = {}\nconnect-retry = 1\n\
             idle-hold-time-after-reset = 1\n\
             [neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 120\n\
             [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"ipv4-unicast\"\n\
             [neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n",
            hold / 3
        );
    }
    text
}
