use super::*;

fn session(state: &str, flaps: u64, since_seconds: u64) -> Peer {
    Peer {
        address: "192.0.2.1".parse().unwrap(),
        name: "BGPPeer/tor".into(),
        remote_as: 65001,
        local_as: 64512,
        kind: "external".into(),
        state: state.into(),
        since_seconds,
        local_address: None,
        router_id: None,
        hold_seconds: 90,
        last_error: (flaps > 0).then(|| "hold timer expired".into()),
        keepalive_seconds: 30,
        last_loss: None,
        idle_seconds: None,
        connect_retries: 0,
        faults: Default::default(),
        kept_seconds: None,
        flaps,
        families: Vec::new(),
        capabilities: Vec::new(),
        bfd: None,
        unfiltered: Vec::new(),
        messages_in: 0,
        messages_out: 0,
    }
}

fn reasons(notes: &[Note]) -> Vec<&str> {
    notes.iter().map(|n| n.reason.as_str()).collect()
}

#[test]
fn events_are_what_happened_to_a_session() {
    let (mut sessions, now) = (Sessions::default(), SystemTime::now());
    let mut see = |state: &str, flaps| {
        let notes = sessions.take(&[session(state, flaps, 0)], now);
        reasons(&notes).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(see("Connect", 0).is_empty(), "it never was up");
    assert_eq!(see(ESTABLISHED, 0), ["BGPPeerUp"]);
    assert!(see(ESTABLISHED, 0).is_empty());
    assert_eq!(see("Idle", 1), ["BGPPeerDown"]);
    assert!(see("Active", 1).is_empty());
    assert_eq!(see(ESTABLISHED, 1), ["BGPPeerUp"]);
    // Down and up again between two looks.
    assert_eq!(see(ESTABLISHED, 2), ["BGPPeerDown", "BGPPeerUp"]);
}

#[test]
fn since_when_does_not_move_while_nothing_happens() {
    let (mut sessions, start) = (Sessions::default(), SystemTime::now());
    let mut since = |peer: Peer, now| {
        sessions.take(&[peer], now);
        sessions.0["192.0.2.1"].since
    };
    let first = since(session(ESTABLISHED, 0, 5), start);
    assert_eq!(first, start - Duration::from_secs(5));
    let later = start + Duration::from_millis(2700);
    assert_eq!(since(session(ESTABLISHED, 0, 7), later), first);
    assert_eq!(since(session("Idle", 1, 0), later), later);
}

#[test]
fn times_are_whole_seconds() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_987);
    assert_eq!(timestamp(time).as_deref(), Some("2023-11-14T22:13:20Z"));
}

#[test]
fn of_many_sessions_those_are_listed_that_are_down() {
    let mut peers = vec![session(ESTABLISHED, 0, 0); LISTED];
    assert_eq!(listed(&peers).count(), LISTED);
    peers.push(session("Idle", 1, 0));
    let states: Vec<&str> = listed(&peers).map(|p| p.state.as_str()).collect();
    assert_eq!((states.len(), states[0]), (LISTED, "Idle"));
}
