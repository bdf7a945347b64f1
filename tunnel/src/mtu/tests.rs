//! Tables of sizes.

use proptest::prelude::*;

use super::*;

fn path(link: u32, encapsulation: Encapsulation, family: Family) -> Path {
    Path {
        link,
        encapsulation,
        family,
    }
}

#[test]
fn overheads_are_those_of_the_headers() {
    assert_eq!(Overhead::VXLAN_V4.0, 50);
    assert_eq!(Overhead::VXLAN_V6.0, 70);
    assert_eq!(Overhead::IPIP.0, 20);
    assert_eq!(Overhead::of(Encapsulation::Direct, Family::Ipv6), Overhead::NONE);
}

#[test]
fn paths_and_their_routes() {
    use Encapsulation::{Direct, Ipip, Vxlan};
    use Family::{Ipv4, Ipv6};
    for (link, encapsulation, family, mtu, route) in [
        (1500, Direct, Ipv4, 1500, None),
        (9000, Direct, Ipv6, 9000, None),
        (1500, Vxlan, Ipv4, 1450, Some((1450, 1410))),
        (1500, Vxlan, Ipv6, 1430, Some((1430, 1370))),
        (1500, Ipip, Ipv4, 1480, Some((1480, 1440))),
        (9000, Vxlan, Ipv4, 8950, Some((8950, 8910))),
        (9000, Vxlan, Ipv6, 8930, Some((8930, 8870))),
        (1350, Vxlan, Ipv6, 1280, Some((1280, 1220))),
        (626, Vxlan, Ipv4, 576, Some((576, 536))),
    ] {
        let path = path(link, encapsulation, family);
        assert_eq!(path.mtu(), Ok(mtu), "{path:?}");
        let route = route.map(|(mtu, advmss)| RouteSizes { mtu, advmss });
        assert_eq!(path.route(), route, "{path:?}");
    }
}

#[test]
fn a_path_too_narrow_is_an_error_that_says_so() {
    let narrow = path(1320, Encapsulation::Vxlan, Family::Ipv6);
    let error = narrow.mtu().unwrap_err();
    assert!(
        error.to_string().contains("1250 are left, and IPv6 needs 1280"),
        "{error}"
    );
    assert_eq!(narrow.route(), None);
    assert_eq!(device_mtu([narrow]), Err(error));
    assert!(path(20, Encapsulation::Vxlan, Family::Ipv4).mtu().is_err());
    assert!(path(1279, Encapsulation::Direct, Family::Ipv6).mtu().is_err());
}

#[test]
fn the_device_has_room_for_its_widest_path() {
    let vxlan = |link| path(link, Encapsulation::Vxlan, Family::Ipv4);
    assert_eq!(device_mtu([vxlan(1500), vxlan(9000), vxlan(1450)]), Ok(8950));
    assert_eq!(device_mtu([vxlan(1500)]), Ok(1450));
    assert_eq!(device_mtu([vxlan(100), vxlan(1500)]), Ok(1450));
    assert_eq!(device_mtu([]), Err(MtuError::NoPath));
}

#[test]
fn pods_get_the_least_that_may_be_needed() {
    let reach = |link, vxlan, ipip, family| Reach {
        link,
        modes: PoolModes { vxlan, ipip },
        family,
    };
    use Family::{Ipv4, Ipv6};
    use Mode::{Always, Auto, CrossSubnet, Never};
    for (reaches, mtu) in [
        (vec![], 1234),
        (vec![reach(1500, Never, Never, Ipv4)], 1500),
        (vec![reach(1500, Always, Never, Ipv4)], 1450),
        // Direct today, perhaps; a tunnel tomorrow.
        (vec![reach(1500, CrossSubnet, Never, Ipv4)], 1450),
        (vec![reach(1500, Auto, Never, Ipv6)], 1430),
        (vec![reach(1500, Never, Auto, Ipv4)], 1480),
        (vec![reach(1500, Never, Always, Ipv6)], 1500),
        // The narrowest of all links counts, and the widest encapsulation on it.
        (
            vec![reach(9000, Always, Never, Ipv4), reach(1500, Never, Never, Ipv4)],
            1500,
        ),
        (
            vec![reach(9000, Auto, Never, Ipv4), reach(1500, Auto, Never, Ipv6)],
            1430,
        ),
    ] {
        assert_eq!(pod_mtu(reaches.iter().copied(), 1234), mtu, "{reaches:?}");
    }
}

fn a_path() -> impl Strategy<Value = Path> {
    let encapsulations = [Encapsulation::Direct, Encapsulation::Vxlan, Encapsulation::Ipip];
    let families = [Family::Ipv4, Family::Ipv6];
    (
        500u32..9100,
        prop::sample::select(encapsulations.to_vec()),
        prop::sample::select(families.to_vec()),
    )
        .prop_map(|(link, encapsulation, family)| path(link, encapsulation, family))
}

proptest! {
    /// What a route lets through fits the link with its outer headers, and a segment fits the packet.
    #[test]
    fn nothing_that_a_route_lets_through_is_too_large(path in a_path()) {
        if let Some(sizes) = path.route() {
            let overhead = Overhead::of(path.encapsulation, path.family).0;
            prop_assert!(sizes.mtu + overhead <= path.link);
            let headers = if path.family == Family::Ipv4 { 40 } else { 60 };
            prop_assert_eq!(sizes.advmss + headers, sizes.mtu);
        }
    }

    /// The device is never narrower than a route over it.
    #[test]
    fn no_route_is_wider_than_its_device(links in prop::collection::vec(500u32..9100, 1..8)) {
        let paths = links.iter().map(|link| path(*link, Encapsulation::Vxlan, Family::Ipv4));
        match device_mtu(paths.clone()) {
            Ok(device) => for path in paths {
                prop_assert!(path.route().is_none_or(|sizes| sizes.mtu <= device));
            },
            Err(_) => for path in paths {
                prop_assert_eq!(path.route(), None);
            },
        }
    }

    /// Whatever a pool's mode makes of a path, its pods' packets fit.
    #[test]
    fn what_pods_send_fits_every_choice(link in 700u32..9100, vxlan in any::<bool>()) {
        let modes = match vxlan {
            true => PoolModes { vxlan: Mode::Auto, ipip: Mode::Never },
            false => PoolModes { vxlan: Mode::Never, ipip: Mode::Auto },
        };
        let family = Family::Ipv4;
        let mtu = pod_mtu([Reach { link, modes, family }], 0);
        let tunnel = if vxlan { Encapsulation::Vxlan } else { Encapsulation::Ipip };
        for encapsulation in [Encapsulation::Direct, tunnel] {
            prop_assert!(path(link, encapsulation, family).mtu().is_ok_and(|room| mtu <= room));
        }
    }
}
