//! The settings of sessions that a `BGPPeer` has.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::duration;
use crate::fields::ResourceKind;
use crate::intent::{
    AddPath, AddPathSend, AddressFamilies, MaxPrefixAction, MaxPrefixes, PasswordRef, SessionRole,
    SessionRules,
};
use crate::reader::Reader;
use crate::vocabulary::resource_name;

/// Longest name of a key in a Kubernetes secret.
const MAX_KEY_NAME: usize = 253;

/// Two octets in the OPEN, and not below the smallest that RFC 4271 §4.2 allows.
const HOLD: RangeInclusive<u64> = 3..=65_535;

/// Twelve bits in the capability (RFC 4724 §3).
const RESTART: RangeInclusive<u64> = 1..=4_095;

/// Twenty-four bits in the capability (RFC 9494 §3).
const STALE: RangeInclusive<u64> = 1..=16_777_215;

const ROLES: [(&str, SessionRole); 5] = [
    ("Provider", SessionRole::Provider),
    ("Customer", SessionRole::Customer),
    ("Peer", SessionRole::Peer),
    ("RouteServer", SessionRole::RouteServer),
    ("RouteServerClient", SessionRole::RouteServerClient),
];

pub(super) fn read(spec: &mut Reader<'_, '_>, kind: ResourceKind) -> SessionRules {
    let mode = spec.choice(
        "restartMode",
        &[
            ("GracefulRestart", RestartMode::Graceful),
            ("LongLivedGracefulRestart", RestartMode::LongLived),
            ("None", RestartMode::None),
        ],
    );
    let stale = spec.with("longLivedStaleTime", |text| seconds(text, STALE));
    let rules = SessionRules {
        hold_time: spec.with("holdTime", |text| seconds(text, HOLD)),
        keepalive_time: spec.with("keepaliveTime", |text| seconds(text, 1..=21_845)),
        connect_retry: spec.with("connectRetryTime", |text| seconds(text, 1..=3_600)),
        advertisement_interval: spec.with("advertisementInterval", |text| seconds(text, 0..=600)),
        restart_time: spec.with("maxRestartTime", |text| seconds(text, RESTART)),
        // A day, as FRR has it, where only the mode is given.
        long_lived_stale_time: stale
            .or((mode == Some(RestartMode::LongLived)).then_some(Duration::from_secs(86_400))),
        password: password(spec, "password", kind),
        ttl_security: spec
            .integer("ttlSecurity", 0..=254)
            .and_then(|hops| u8::try_from(hops).ok())
            .filter(|hops| *hops > 0),
        max_prefixes: max_prefixes(spec, kind),
        add_path: add_path(spec, kind),
        role: spec.choice("role", &ROLES),
        strict_role: spec.boolean("strictRole").unwrap_or(false),
        families: families(spec),
        extended_next_hop: spec.boolean("extendedNextHop"),
        ebgp_multihop: spec
            .integer("ebgpMultihop", 1..=255)
            .and_then(|hops| u8::try_from(hops).ok()),
        min_hold_time: spec.with("minHoldTime", |text| seconds(text, HOLD)),
        max_stale_time: spec.with("maxStaleTime", |text| seconds(text, 1..=86_400)),
        no_restart: mode == Some(RestartMode::None),
        restart_on_notification: spec.boolean("restartOnNotification").unwrap_or(false),
    };
    check(spec, &rules, mode, stale.is_some());
    rules
}

/// What does not go together.
fn check(spec: &mut Reader<'_, '_>, rules: &SessionRules, mode: Option<RestartMode>, stale: bool) {
    if rules.strict_role && rules.role.is_none() {
        spec.error(
            "strictRole",
            "there is no role to insist on",
            "write role as well, or remove it",
        );
    }
    let shorter = match mode {
        Some(RestartMode::Graceful) => Some("GracefulRestart"),
        Some(RestartMode::None) => Some("None"),
        Some(RestartMode::LongLived) | None => None,
    };
    if let Some(mode) = shorter.filter(|_| stale) {
        let fix = "write restartMode: LongLivedGracefulRestart, or remove longLivedStaleTime";
        let message = format!("has no effect with restartMode: {mode}");
        spec.error("longLivedStaleTime", message, fix);
    }
    let needless = [
        ("maxRestartTime", rules.restart_time.is_some()),
        ("maxStaleTime", rules.max_stale_time.is_some()),
        ("restartOnNotification", rules.restart_on_notification),
    ];
    for (field, _) in needless.iter().filter(|(_, said)| *said && rules.no_restart) {
        spec.error(field, "has no effect with restartMode: None", "remove it");
    }
    let least = rules.min_hold_time.unwrap_or_default();
    if rules.hold_time.is_some_and(|proposed| proposed < least) {
        let fix = "write no more than holdTime";
        spec.error("minHoldTime", "is longer than the hold time that we propose", fix);
    }
}

/// What becomes of routes while the peer restarts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RestartMode {
    Graceful,
    LongLived,
    None,
}

/// `[IPv4, IPv6]`; both where nothing is said.
fn families(spec: &mut Reader<'_, '_>) -> AddressFamilies {
    let word = |text: &str| match text {
        "IPv4" => Ok(true),
        "IPv6" => Ok(false),
        _ => Err(format!("`{text}` is no family of routes: write IPv4 or IPv6")),
    };
    let Some(listed) = spec.list("addressFamilies", word) else {
        return AddressFamilies::Both;
    };
    match (listed.contains(&true), listed.contains(&false)) {
        (true, false) => AddressFamilies::IPv4,
        (false, true) => AddressFamilies::IPv6,
        (true, true) => AddressFamilies::Both,
        (false, false) => {
            let fix = "write `[IPv4]`, `[IPv6]`, or remove it for both";
            spec.error("addressFamilies", "names no family", fix);
            AddressFamilies::Both
        }
    }
}

/// What a `BGPConfiguration` says of sessions: timers for all, and what is for the mesh alone.
pub(super) fn read_defaults(spec: &mut Reader<'_, '_>, kind: ResourceKind) -> SessionRules {
    SessionRules {
        hold_time: spec.with("holdTime", |text| seconds(text, HOLD)),
        connect_retry: spec.with("connectRetryTime", |text| seconds(text, 1..=3_600)),
        restart_time: spec.with("nodeMeshMaxRestartTime", |text| seconds(text, RESTART)),
        password: password(spec, "nodeMeshPassword", kind),
        ..SessionRules::default()
    }
}

fn seconds(text: &str, bounds: RangeInclusive<u64>) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    let (low, high) = (*bounds.start(), *bounds.end());
    if (Duration::from_secs(low)..=Duration::from_secs(high)).contains(&time) {
        Ok(time)
    } else {
        Err(format!("`{text}` is out of bounds: {low}s to {high}s"))
    }
}

/// `{ secretKeyRef: { name, key } }` as Calico has it, or `{ file: PATH }`.
pub(super) fn password(spec: &mut Reader<'_, '_>, name: &str, kind: ResourceKind) -> Option<PasswordRef> {
    let mut password = spec.object(name)?;
    let file = password.with("file", file);
    let secret = password.object("secretKeyRef").and_then(|mut reference| {
        let found = (
            reference.with("name", |text| resource_name(text).map_err(|e| e.to_string())),
            reference.with("key", key),
        );
        for (missing, field) in [(!reference.has("name"), "name"), (!reference.has("key"), "key")] {
            if missing {
                reference.error(
                    field,
                    "is required",
                    "write `{ name: bgp-secrets, key: tor-password }`",
                );
            }
        }
        reference.finish(kind);
        let (name, key) = (found.0?, found.1?);
        Some(PasswordRef::Secret { name, key })
    });
    if password.has("file") == password.has("secretKeyRef") {
        let fix = "write one of `secretKeyRef: { name: ..., key: ... }` and `file: /path`";
        password.error("", "says not where the password is, or twice", fix);
    }
    password.finish(kind);
    secret.or(file)
}

fn file(text: &str) -> Result<PasswordRef, String> {
    if Path::new(text).is_absolute() {
        Ok(PasswordRef::File(PathBuf::from(text)))
    } else {
        Err(format!("`{text}` is not an absolute path: begin it with /"))
    }
}

fn key(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= MAX_KEY_NAME && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is no key of a secret: letters, digits, `-`, `_` and `.`"
        ))
    }
}

fn max_prefixes(spec: &mut Reader<'_, '_>, kind: ResourceKind) -> MaxPrefixes {
    let Some(mut object) = spec.object("maxPrefixes") else {
        return MaxPrefixes::default();
    };
    let actions = [
        ("Restart", MaxPrefixAction::Restart),
        ("Warn", MaxPrefixAction::Warn),
    ];
    let limits = MaxPrefixes {
        ipv4: object.integer("ipv4", 1..=u32::MAX),
        ipv6: object.integer("ipv6", 1..=u32::MAX),
        warn_percent: object
            .integer("warnPercent", 1..=100)
            .and_then(|p| u8::try_from(p).ok()),
        action: object.choice("action", &actions).unwrap_or_default(),
        restart: object.with("restartTime", |text| seconds(text, 1..=86_400)),
    };
    if limits.ipv4.is_none() && limits.ipv6.is_none() && !object.has("ipv4") && !object.has("ipv6") {
        object.error("", "has no limit", "write ipv4, ipv6 or both");
    }
    object.finish(kind);
    limits
}

fn add_path(spec: &mut Reader<'_, '_>, kind: ResourceKind) -> AddPath {
    let Some(mut object) = spec.object("addPath") else {
        return AddPath::default();
    };
    let best = object
        .integer("sendMax", 2..=32)
        .and_then(|most| u8::try_from(most).ok());
    let sends = [
        ("None", AddPathSend::None),
        ("Best", AddPathSend::Best(best.unwrap_or(2))),
        ("All", AddPathSend::All),
    ];
    let send = object.choice("send", &sends).unwrap_or_default();
    if best.is_some() && !matches!(send, AddPathSend::Best(_)) {
        object.error(
            "sendMax",
            "has no effect",
            "write `send: Best` as well, or remove it",
        );
    }
    let paths = AddPath {
        receive: object.boolean("receive").unwrap_or(false),
        send,
    };
    object.finish(kind);
    paths
}
