//! The table of modes and paths, and that reasons carry what was checked.

use super::*;
use crate::probe::Silence;

fn facts(family: Family, endpoint: &str, path: L2Path) -> Facts {
    Facts {
        family,
        node: "node-b".into(),
        endpoint: endpoint.parse().unwrap(),
        path,
        probe: Proof::default(),
    }
}

fn on_link() -> L2Path {
    L2Path::OnLink {
        interface: "eth0".into(),
    }
}

fn routed() -> L2Path {
    L2Path::Routed {
        gateway: "192.0.2.1".parse().unwrap(),
        interface: "eth0".into(),
    }
}

fn no_route() -> L2Path {
    L2Path::NoRoute("network unreachable".into())
}

#[test]
fn the_table() {
    use Encapsulation::{Direct, Ipip, Vxlan};
    use Mode::{Always, CrossSubnet, Never};
    for (vxlan, ipip, path, expected) in [
        (Never, Never, routed(), Direct),
        (Never, Never, on_link(), Direct),
        (Always, Never, on_link(), Vxlan),
        (Always, Never, routed(), Vxlan),
        (Always, Never, no_route(), Vxlan),
        (CrossSubnet, Never, on_link(), Direct),
        (CrossSubnet, Never, routed(), Vxlan),
        (CrossSubnet, Never, no_route(), Vxlan),
        (Never, Always, on_link(), Ipip),
        (Never, CrossSubnet, on_link(), Direct),
        (Never, CrossSubnet, routed(), Ipip),
        (Never, CrossSubnet, no_route(), Ipip),
    ] {
        let choice = choose(
            PoolModes { vxlan, ipip },
            &facts(Family::Ipv4, "192.0.2.12", path.clone()),
        );
        assert_eq!(
            choice.encapsulation, expected,
            "vxlan {vxlan} ipip {ipip} {path:?}"
        );
        assert!(
            choice.reason.to_string().contains(&expected.to_string()),
            "{}",
            choice.reason
        );
    }
}

#[test]
fn reasons_carry_the_values_that_were_checked() {
    let modes = PoolModes {
        vxlan: Mode::CrossSubnet,
        ipip: Mode::Never,
    };
    let reason = |path| {
        choose(modes, &facts(Family::Ipv4, "192.0.2.12", path))
            .reason
            .to_string()
    };
    assert_eq!(
        reason(on_link()),
        "CrossSubnet: the kernel's route to node-b (192.0.2.12) has no gateway (on-link, eth0): direct"
    );
    assert_eq!(
        reason(routed()),
        "CrossSubnet: the kernel's route to node-b (192.0.2.12) goes through gateway 192.0.2.1 on eth0: VXLAN"
    );
    assert!(reason(no_route()).contains("network unreachable"));
}

#[test]
fn ipip_refuses_ipv6_inside_and_outside() {
    let modes = PoolModes {
        vxlan: Mode::Never,
        ipip: Mode::Always,
    };
    for facts in [
        facts(Family::Ipv6, "2001:db8::2", routed()),
        facts(Family::Ipv4, "2001:db8::2", routed()),
    ] {
        let choice = choose(modes, &facts);
        assert_eq!(choice.encapsulation, Encapsulation::Direct);
        assert!(
            choice.reason.to_string().contains("IPv4 in IPv4 only"),
            "{}",
            choice.reason
        );
    }
}

#[test]
fn vxlan_carries_ipv6() {
    let modes = PoolModes {
        vxlan: Mode::CrossSubnet,
        ipip: Mode::Never,
    };
    let choice = choose(modes, &facts(Family::Ipv6, "2001:db8::2", routed()));
    assert_eq!(choice.encapsulation, Encapsulation::Vxlan);
}

/// The way that the kernel has to the node decides nothing under `Auto`; the probe does, in every combination.
#[test]
fn auto_follows_the_probe_whatever_the_path() {
    use Encapsulation::{Direct, Ipip, Vxlan};
    let verdicts = [
        (Proof::Unknown, false),
        (Proof::Carries, true),
        (Proof::Silent(Silence::Lost), false),
        (Proof::Silent(Silence::TooLarge), false),
        (Proof::Silent(Silence::Tunnelled), false),
    ];
    let modes = [
        (Mode::Auto, Mode::Never, Vxlan),
        (Mode::Never, Mode::Auto, Ipip),
        (Mode::Auto, Mode::Auto, Vxlan),
    ];
    for (probe, carries) in verdicts {
        for path in [on_link(), routed(), no_route()] {
            for (vxlan, ipip, tunnel) in modes {
                let facts = Facts {
                    probe,
                    ..facts(Family::Ipv4, "192.0.2.12", path.clone())
                };
                let choice = choose(PoolModes { vxlan, ipip }, &facts);
                let expected = if carries { Direct } else { tunnel };
                assert_eq!(choice.encapsulation, expected, "{probe} {path}");
            }
        }
    }
}

#[test]
fn only_auto_looks_at_the_probe() {
    for mode in [Mode::Never, Mode::Always, Mode::CrossSubnet] {
        let modes = PoolModes {
            vxlan: mode,
            ipip: Mode::Never,
        };
        let silent = facts(Family::Ipv4, "192.0.2.12", routed());
        let carries = Facts {
            probe: Proof::Carries,
            ..silent.clone()
        };
        assert_eq!(choose(modes, &silent), choose(modes, &carries), "{mode}");
    }
}

#[test]
fn the_reason_of_auto_has_all_that_was_checked() {
    let modes = PoolModes {
        vxlan: Mode::Auto,
        ipip: Mode::Never,
    };
    let reason = |probe| {
        let facts = Facts {
            probe,
            ..facts(Family::Ipv4, "192.0.2.12", routed())
        };
        choose(modes, &facts).reason.to_string()
    };
    assert_eq!(
        reason(Proof::Carries),
        "Auto: to node-b (192.0.2.12), which is behind gateway 192.0.2.1 on eth0, the fabric carries pod addresses: direct"
    );
    let text = reason(Proof::Silent(Silence::TooLarge));
    assert!(text.ends_with(": not proven direct: VXLAN"), "{text}");
    assert!(text.contains("of the full size"), "{text}");
}

#[test]
fn auto_in_ipip_refuses_ipv6_too() {
    let modes = PoolModes {
        vxlan: Mode::Never,
        ipip: Mode::Auto,
    };
    let facts = Facts {
        probe: Proof::Silent(Silence::Lost),
        ..facts(Family::Ipv6, "2001:db8::2", routed())
    };
    let choice = choose(modes, &facts);
    assert_eq!(choice.encapsulation, Encapsulation::Direct);
    assert!(
        choice.reason.to_string().contains("ipipMode Auto"),
        "{}",
        choice.reason
    );
}
