//! BIRD 2.

use super::router::{self, NODE, OUR_ADDRESS, OURS, ROUTER, Router, THEIR_ADDRESS, THEIRS};
use crate::support::{Builder, Fabric, check, require};

struct Bird;

impl Router for Bird {
    fn make(&self) -> &'static dyn crate::interop::makes::Router {
        &crate::interop::makes::Bird
    }

    fn add(&self, builder: Builder, family: usize, graceful: bool, exec: &[&str]) -> Builder {
        require("bird", "bird2");
        let name = ["ipv4", "ipv6"][family];
        let times = router::multiplier(graceful);
        let bfd = if graceful { "bfd graceful" } else { "bfd on" };
        let config = format!(
            "log stderr all;\nrouter id 192.0.2.1;\ndebug protocols {{ states, events }};\nprotocol device {{ }}\n\
             protocol bfd {{\n interface \"eth*\" {{ interval 100 ms; multiplier {times}; }};\n \
             multihop {{ interval 100 ms; multiplier {times}; }};\n}}\n\
             protocol static rts {{ {name}; route {} blackhole; }}\n\
             protocol bgp {NODE} {{\n local {} as 65001;\n neighbor {} as 64512;\n hold time 240;\n \
             connect delay time 1;\n error wait time 1,2;\n {bfd};\n graceful restart on;\n \
             {name} {{ import all; export where source = RTS_STATIC; }};\n}}\n",
            THEIRS[family], THEIR_ADDRESS[family], OUR_ADDRESS[family]
        );
        let command = "bird -f -c /etc/r1.conf -s /run/bird.ctl -P /run/bird.pid";
        builder.program(ROUTER, &config, command, exec)
    }

    fn processes(&self) -> &'static [&'static str] {
        &["cmd"]
    }

    fn has_ours(&self, fabric: &Fabric, family: usize) -> Result<(), String> {
        let words = [
            "birdc",
            "-s",
            "/run/bird.ctl",
            "show",
            "route",
            "for",
            OURS[family],
        ];
        let text = fabric.exec_ok(ROUTER, &words).map_err(|e| e.to_string())?;
        check(text.contains(NODE), || text)
    }

    fn sessions(&self, fabric: &Fabric) -> String {
        fabric.run(ROUTER, "birdc -r -s /run/bird.ctl show bfd sessions")
    }

    fn blames_bfd(&self, fabric: &Fabric, _: usize) -> Result<(), String> {
        let log = fabric.log(ROUTER, "cmd");
        check(log.contains("BFD session down"), || log)
    }

    /// Its sessions end without a word.
    fn switch_off(&self, _: &Fabric) -> bool {
        false
    }
}

#[test]
fn a_session_with_bird() {
    router::life(&Bird, 0);
}

#[test]
fn a_session_with_bird_over_ipv6() {
    router::life(&Bird, 1);
}

#[test]
fn bird_keeps_the_routes_of_an_agent_that_restarts() {
    router::restart(&Bird);
}
