//! What both ends can do on a session, in words: not what the OPENs have in common letter by letter, but what came of
//! them. The two ends of a role, of several paths, or of a restart say different things and mean the same.

use super::Negotiated;
use crate::types::{Family, PerFamily};
use crate::wire::{Capability, MAX_MESSAGE};

impl Negotiated {
    /// The capabilities that are in force, each by its name, with what was agreed on where that is a matter of choice;
    /// the families come first.
    pub fn in_force(&self) -> Vec<String> {
        let mut names: Vec<String> = self.families.iter().map(ToString::to_string).collect();
        let plain = [
            (self.four_octet, "4-octet AS"),
            (self.route_refresh, "route refresh"),
            (self.enhanced_refresh, "enhanced route refresh"),
            (self.max_message_len > MAX_MESSAGE, "extended messages"),
            (self.extended_next_hop, "extended next hop"),
        ];
        let named = plain.iter().filter(|(agreed, _)| *agreed);
        names.extend(named.map(|(_, name)| (*name).to_owned()));
        names.extend(ways("ADD-PATH receive", self.add_path_in));
        names.extend(ways("ADD-PATH send", self.add_path_out));
        if self.graceful_restart {
            let notification = if self.notification_restart {
                ", with NOTIFICATION"
            } else {
                ""
            };
            names.push(format!("graceful restart{notification}"));
        }
        let stale = PerFamily {
            ipv4: self.long_lived.ipv4.is_some(),
            ipv6: self.long_lived.ipv6.is_some(),
        };
        names.extend(ways("long-lived graceful restart", stale));
        let said = self.remote_capabilities.iter().any(Capability::is_role);
        names.extend(
            self.role
                .filter(|_| said)
                .map(|role| format!("role {role} towards {}", role.counterpart())),
        );
        names
    }
}

/// The name with the families that it holds for; nothing where there are none.
fn ways(name: &str, families: PerFamily<bool>) -> Option<String> {
    let agreed = Family::ALL.into_iter().filter(|family| *families.get(*family));
    let list: Vec<String> = agreed.map(|family| family.to_string()).collect();
    (!list.is_empty()).then(|| format!("{name} ({})", list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::{ours, validate};
    use crate::session::fsm::Tuning;
    use crate::session::offer::{AddPathOffer, AddPathSend, Graceful, Offer};
    use crate::session::settings::Settings;
    use crate::types::{Asn, Family, PerFamily, RouterId};
    use crate::wire::Role;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    fn settings(last: u8, asns: [u32; 2], offer: Offer) -> Settings {
        Settings {
            local_asn: Asn(asns[0]),
            router_id: RouterId(Ipv4Addr::new(10, 0, 0, last)),
            remote_as: Asn(asns[1]).into(),
            hold_time: Duration::from_secs(90),
            min_hold_time: Duration::from_secs(3),
            families: Family::ALL.to_vec(),
            offer,
            restarting: false,
            tuning: Tuning {
                keepalive: None,
                connect_retry: Duration::from_secs(5),
                passive: false,
            },
        }
    }

    fn between(local: Offer, remote: Offer) -> Vec<String> {
        let us = settings(1, [65000, 65001], local);
        let them = settings(2, [65001, 65000], remote);
        let agreed = validate(&ours(&them, false), &us, false).expect("they agree");
        agreed.in_force()
    }

    const ALWAYS: [&str; 5] = [
        "IPv4 unicast",
        "IPv6 unicast",
        "4-octet AS",
        "route refresh",
        "extended messages",
    ];

    #[test]
    fn both_ends_say_different_things_and_agree() {
        let offer = |role, receive, send, time, stale| Offer {
            graceful: Some(Graceful {
                time,
                notification: true,
            }),
            long_lived: PerFamily {
                ipv4: Some(stale),
                ipv6: None,
            },
            enhanced_refresh: false,
            add_path: PerFamily {
                ipv4: AddPathOffer { receive, send },
                ipv6: AddPathOffer::default(),
            },
            role: Some(role),
            ..Offer::default()
        };
        let ours = offer(Role::Customer, true, AddPathSend::None, 30, 60);
        let theirs = offer(Role::Provider, false, AddPathSend::All, 120, 3600);
        let wanted = [
            "ADD-PATH receive (IPv4 unicast)",
            "graceful restart, with NOTIFICATION",
            "long-lived graceful restart (IPv4 unicast)",
            "role customer towards provider",
        ];
        assert_eq!(between(ours, theirs), [&ALWAYS[..], &wanted].concat());
    }

    #[test]
    fn what_one_end_says_alone_is_not_in_force() {
        let mut all = Offer {
            extended_next_hop: true,
            role: Some(Role::Peer),
            ..Offer::default()
        };
        all.add_path.ipv6 = AddPathOffer {
            receive: true,
            send: AddPathSend::All,
        };
        let little = Offer {
            graceful: None,
            enhanced_refresh: false,
            ..Offer::default()
        };
        assert_eq!(between(all, little), ALWAYS);
        assert_eq!(between(little, all), ALWAYS);
        // Two ends that would both receive only.
        let mut receives = little;
        receives.add_path.ipv4.receive = true;
        assert_eq!(between(receives, receives), ALWAYS);
    }
}
