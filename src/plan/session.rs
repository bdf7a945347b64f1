//! How a session behaves: what its `BGPPeer` says, and what holds for all.

use std::sync::Arc;
use std::time::Duration;

use bgpd_proto::speaker::{AddPathOffer, AddPathSend, MaxPrefix, MaxPrefixAction, Offer, PeerConfig};
use bgpd_proto::types::{Family, PerFamily};
use config::intent::{self, AddressFamilies, MaxPrefixes, SessionRules};

use super::passwords::{self, Passwords};

/// From this share of a limit on it is said that it is near, in percent.
const WARN_PERCENT: u8 = 80;

/// What the resources say of a session.
pub struct Rules<'a> {
    /// The rules of its `BGPPeer`, or of the mesh.
    pub own: &'a SessionRules,
    /// The timers of all sessions.
    pub all: &'a SessionRules,
    /// What was read where the rules refer to.
    pub passwords: &'a Passwords,
}

/// The session by these rules.
pub fn with(mut config: PeerConfig, rules: &Rules<'_>) -> PeerConfig {
    let Rules { own, all, passwords } = rules;
    if let Some(time) = own.hold_time.or(all.hold_time) {
        config.hold_time = time;
    }
    if let Some(pause) = own.keepalive_time {
        // RFC 4271 §4.4 wants a third at most; whoever asks for rare keepalives wants them, and not a session that flaps.
        config.hold_time = config.hold_time.max(pause * 3);
        config.keepalive_time = Some(pause);
    }
    if let Some(time) = own.connect_retry.or(all.connect_retry) {
        config.connect_retry = time;
    }
    config.advertisement_interval = own.advertisement_interval.unwrap_or(Duration::ZERO);
    config.ttl_security = own.ttl_security;
    config.multihop = own.ebgp_multihop.unwrap_or(config.multihop);
    config.families = match own.families {
        AddressFamilies::Both => Family::ALL.to_vec(),
        AddressFamilies::IPv4 => vec![Family::Ipv4Unicast],
        AddressFamilies::IPv6 => vec![Family::Ipv6Unicast],
    };
    config.min_hold_time = own.min_hold_time.unwrap_or(config.min_hold_time);
    config.restart_limit = own.max_stale_time.unwrap_or(config.restart_limit);
    config.max_prefix = limits(&own.max_prefixes);
    offer(own, &mut config.offer);
    if let Some(reference) = &own.password {
        match passwords::find(passwords, reference) {
            Ok(password) => config.password = Some(password),
            Err(why) => config.withheld = Some(Arc::from(why)),
        }
    }
    config
}

fn offer(own: &SessionRules, offer: &mut Offer) {
    if let Some(graceful) = &mut offer.graceful {
        if let Some(time) = own.restart_time {
            graceful.time = u16::try_from(time.as_secs()).unwrap_or(u16::MAX);
        }
        graceful.notification = own.restart_on_notification;
    }
    if own.no_restart {
        offer.graceful = None;
    }
    if let Some(wanted) = own.extended_next_hop {
        offer.extended_next_hop = wanted;
    }
    let stale = (own.long_lived_stale_time).map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    offer.long_lived = both(stale);
    let send = match own.add_path.send {
        intent::AddPathSend::None => AddPathSend::None,
        intent::AddPathSend::Best(most) => AddPathSend::Best(most),
        intent::AddPathSend::All => AddPathSend::All,
    };
    offer.add_path = both(AddPathOffer {
        receive: own.add_path.receive,
        send,
    });
    offer.role = own.role.map(super::policy::role);
    offer.strict_role = own.strict_role;
}

fn limits(rules: &MaxPrefixes) -> PerFamily<Option<MaxPrefix>> {
    let limit = |limit: u32| MaxPrefix {
        limit,
        warn_percent: rules.warn_percent.unwrap_or(WARN_PERCENT),
        restart: rules.restart,
        action: match rules.action {
            intent::MaxPrefixAction::Restart => MaxPrefixAction::Restart,
            intent::MaxPrefixAction::Warn => MaxPrefixAction::Warn,
        },
    };
    PerFamily {
        ipv4: rules.ipv4.map(limit),
        ipv6: rules.ipv6.map(limit),
    }
}

fn both<T: Copy>(value: T) -> PerFamily<T> {
    PerFamily {
        ipv4: value,
        ipv6: value,
    }
}

#[cfg(test)]
mod tests {
    use bgpd_proto::types::{Asn, Secret};
    use bgpd_proto::wire::Role;
    use config::intent::{PasswordRef, SessionRole};

    use super::*;

    fn session(own: &SessionRules, all: &SessionRules, passwords: &Passwords) -> PeerConfig {
        let rules = Rules { own, all, passwords };
        with(PeerConfig::new("tor", Asn(65001)), &rules)
    }

    #[test]
    fn without_rules_a_session_is_as_it_was() {
        let nothing = SessionRules::default();
        let plain = PeerConfig::new("tor", Asn(65001));
        assert_eq!(session(&nothing, &nothing, &Passwords::new()), plain);
    }

    #[test]
    fn own_timers_come_before_those_of_all_and_rare_keepalives_make_the_hold_time_longer() {
        let seconds = |n| Some(Duration::from_secs(n));
        let all = SessionRules {
            hold_time: seconds(30),
            connect_retry: seconds(2),
            // Of the mesh alone.
            restart_time: seconds(300),
            ..SessionRules::default()
        };
        let own = SessionRules {
            connect_retry: seconds(9),
            keepalive_time: seconds(20),
            ..SessionRules::default()
        };
        let made = session(&own, &all, &Passwords::new());
        assert_eq!((made.hold_time.as_secs(), made.connect_retry.as_secs()), (60, 9));
        assert_eq!(made.keepalive_time, seconds(20));
        assert_eq!(made.offer, Offer::default());
        let made = session(&all, &all, &Passwords::new());
        assert_eq!((made.hold_time.as_secs(), made.connect_retry.as_secs()), (30, 2));
        assert_eq!(made.offer.graceful.unwrap().time, 300);
    }

    #[test]
    fn a_session_waits_for_its_password_and_says_where_it_is() {
        let reference = PasswordRef::File("/etc/roadbed/tor".into());
        let own = SessionRules {
            password: Some(reference.clone()),
            ..SessionRules::default()
        };
        let made = |passwords: &Passwords| session(&own, &SessionRules::default(), passwords);
        let why = |config: PeerConfig| config.withheld.map(|why| why.to_string()).unwrap_or_default();
        assert!(why(made(&Passwords::new())).contains("/etc/roadbed/tor: it has not been read yet"));
        let unread = Passwords::from([(reference.clone(), Err("no such file".to_owned()))]);
        assert!(why(made(&unread)).contains("no such file"));
        let read = Passwords::from([(reference, Ok(Secret::new(*b"x")))]);
        assert_eq!(made(&read).withheld, None);
        assert_eq!(made(&read).password, Some(Secret::new(*b"x")));
    }

    #[test]
    fn limits_paths_and_roles_are_handed_on() {
        let own = SessionRules {
            max_prefixes: MaxPrefixes {
                ipv4: Some(10),
                action: intent::MaxPrefixAction::Warn,
                ..MaxPrefixes::default()
            },
            add_path: intent::AddPath {
                receive: true,
                send: intent::AddPathSend::Best(3),
            },
            role: Some(SessionRole::Customer),
            strict_role: true,
            long_lived_stale_time: Some(Duration::from_secs(3600)),
            ttl_security: Some(2),
            ..SessionRules::default()
        };
        let made = session(&own, &SessionRules::default(), &Passwords::new());
        let limit = made.max_prefix.ipv4.unwrap();
        assert_eq!(
            (limit.limit, limit.warn_percent, limit.action),
            (10, 80, MaxPrefixAction::Warn)
        );
        assert_eq!(made.max_prefix.ipv6, None);
        assert_eq!(made.offer.add_path.ipv6.send, AddPathSend::Best(3));
        assert!(made.offer.add_path.ipv4.receive && made.offer.strict_role);
        assert_eq!(made.offer.role, Some(Role::Customer));
        assert_eq!(made.offer.long_lived.ipv4, Some(3600));
        assert_eq!(made.ttl_security, Some(2));
    }
}
