//! The sockets against the real kernel, with errors injected where it does not make them on demand. Each test has a network
//! namespace of its own.

use std::{net::Ipv4Addr, process::Command, time::Instant};

use ipnet::Ipv4Net;
use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::{
    diff::OpKind,
    engine::Event,
    model::{Metric, Protocol, RouteKey},
    netlink::{dump::Dumper, monitor::Monitor},
    route::KernelRoute,
};

const LOOPBACK: u32 = 1;
const MANY: u32 = 4000;
const ESRCH: i32 = 3;
/// The kernel gives no socket less.
const SMALLEST: usize = 2304;

fn in_namespace<F, T>(test: F)
where
    F: FnOnce() -> T + Send + 'static,
    T: Future<Output = ()>,
{
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a new network namespace (root needed)");
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.expect("iproute2 is installed").success());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn key(number: u32) -> RouteKey {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number);
    RouteKey::main(Ipv4Net::new(address, 32).unwrap().into(), Metric(7))
}

fn ops(count: u32, kind: impl Fn() -> OpKind) -> Vec<Op> {
    (0..count)
        .map(|n| Op {
            key: key(n),
            kind: kind(),
        })
        .collect()
}

fn create() -> OpKind {
    OpKind::Create(KernelRoute::on_link(Protocol(82), LOOPBACK))
}

fn delete() -> OpKind {
    OpKind::Delete(Protocol(82))
}

async fn routes() -> usize {
    let snapshot = Dumper::open().unwrap().snapshot().await.unwrap();
    let ours = snapshot
        .routes
        .iter()
        .filter(|(_, route)| route.protocol == Protocol(82));
    ours.count()
}

#[test]
fn a_signal_costs_nothing() {
    in_namespace(|| async {
        let mut writer = Writer::open().unwrap();
        // Sending is interrupted twice, then receiving.
        writer.channel.faults.extend([EINTR, EINTR, 0, EINTR]);
        let answers = writer.write(&ops(10, create)).await.unwrap();
        assert_eq!(answers, vec![Ok(()); 10]);
        assert!(writer.channel.faults.is_empty());
        assert_eq!(routes().await, 10);
    });
}

#[test]
fn what_passes_is_asked_for_again() {
    in_namespace(|| async {
        let mut writer = Writer::open().unwrap();
        assert_eq!(writer.write(&ops(3, create)).await.unwrap(), vec![Ok(()); 3]);
        let replace = || OpKind::Replace(KernelRoute::on_link(Protocol(82), LOOPBACK));
        writer.refuse.extend([EBUSY, EINTR]);
        assert_eq!(writer.write(&ops(3, replace)).await.unwrap(), vec![Ok(()); 3]);
        assert!(writer.refuse.is_empty());
        // What does not pass is handed on, after some tries, and the others are not touched by it.
        writer.refuse.extend([EBUSY; 3]);
        let answers = writer.write(&ops(3, replace)).await.unwrap();
        assert_eq!(answers[0].as_ref().unwrap_err().errno, EBUSY);
        assert_eq!(answers[1..], [Ok(()), Ok(())]);
        assert!(writer.refuse.is_empty());
        // A refusal that says something is final.
        writer.refuse.extend([ESRCH, EBUSY]);
        let answers = writer.write(&ops(1, replace)).await.unwrap();
        assert_eq!(answers[0].as_ref().unwrap_err().errno, ESRCH);
        assert_eq!(writer.refuse.len(), 1);
    });
}

#[test]
fn every_refusal_finds_its_request() {
    in_namespace(|| async {
        let mut writer = Writer::open().unwrap();
        let odd: Vec<Op> = ops(MANY, create).into_iter().skip(1).step_by(2).collect();
        assert!(writer.write(&odd).await.unwrap().iter().all(Result::is_ok));
        let answers = writer.write(&ops(MANY, delete)).await.unwrap();
        for (number, answer) in answers.iter().enumerate() {
            let refused = answer.as_ref().err().map(|refusal| refusal.errno);
            assert_eq!(refused, (number % 2 == 0).then_some(ESRCH), "request {number}");
        }
        assert_eq!(routes().await, 0);
    });
}

#[test]
fn lost_answers_end_no_batch_and_meet_no_later_one() {
    in_namespace(|| async {
        let mut writer = Writer::open_with(SMALLEST).unwrap();
        let began = Instant::now();
        let answers = writer.write(&ops(MANY, delete)).await.unwrap();
        assert!(began.elapsed() < PATIENCE, "it was waited for what cannot come");
        assert!(answers.iter().any(Result::is_err), "some answers fit");
        assert!(answers.iter().any(Result::is_ok), "not all of them fit");
        assert!(writer.lost_answers() && !writer.lost_answers());
        // The socket is as before.
        let answers = writer.write(&ops(1, create)).await.unwrap();
        assert_eq!(answers, [Ok(())]);
        let answers = writer.write(&ops(2, delete)).await.unwrap();
        assert_eq!(answers[0], Ok(()));
        assert_eq!(answers[1].as_ref().unwrap_err().errno, ESRCH);
    });
}

#[test]
fn a_dump_that_was_given_up_is_in_no_ones_way() {
    in_namespace(|| async {
        let mut writer = Writer::open().unwrap();
        assert!(
            writer
                .write(&ops(MANY, create))
                .await
                .unwrap()
                .iter()
                .all(Result::is_ok)
        );
        let mut dumper = Dumper::open().unwrap();
        for _ in 0..3 {
            dumper.abandon().await;
            let snapshot = dumper.snapshot().await.unwrap();
            assert_eq!(snapshot.routes.len(), MANY as usize);
            assert_eq!(snapshot.host.links.len(), 1);
        }
    });
}

fn drained(monitor: &mut Monitor) -> (u32, u32) {
    let (mut lost, mut seen) = (0, 0);
    let drained = monitor.drain(|event| match event {
        Event::Lost => lost += 1,
        Event::Route(_) => seen += 1,
        _ => {}
    });
    drained.unwrap();
    (lost, seen)
}

#[test]
fn what_we_write_ourselves_is_not_notified() {
    in_namespace(|| async {
        let (mut ours, mut other) = (Writer::open().unwrap(), Writer::open().unwrap());
        let mut monitor = Monitor::open_with(ours.port(), 64 * 1024).unwrap();
        let replace = || OpKind::Replace(KernelRoute::on_link(Protocol(82), LOOPBACK));
        for kind in [&create as &dyn Fn() -> OpKind, &replace, &delete] {
            let answers = ours.write(&ops(MANY, kind)).await.unwrap();
            assert!(answers.iter().all(Result::is_ok));
            assert_eq!(drained(&mut monitor), (0, 0));
        }
        assert_eq!(ours.write(&ops(3, create)).await.unwrap(), vec![Ok(()); 3]);
        assert_eq!(other.write(&ops(2, delete)).await.unwrap(), vec![Ok(()); 2]);
        assert_eq!(drained(&mut monitor), (0, 2));
        // Of everything else our own doing is told as well.
        let links = Command::new("ip")
            .args(["link", "set", "lo", "mtu", "2000"])
            .status();
        assert!(links.unwrap().success());
        let mut told = 0;
        monitor
            .drain(|event| told += u32::from(matches!(event, Event::Link(_))))
            .unwrap();
        assert!(told > 0);
    });
}

#[test]
fn notifications_that_do_not_fit_are_known_to_be_lost() {
    in_namespace(|| async {
        let (ours, mut writer) = (Writer::open().unwrap(), Writer::open().unwrap());
        let mut monitor = Monitor::open_with(ours.port(), 64 * 1024).unwrap();
        assert!(
            writer
                .write(&ops(MANY, create))
                .await
                .unwrap()
                .iter()
                .all(Result::is_ok)
        );
        let (lost, seen) = drained(&mut monitor);
        assert!(lost > 0 && seen > 0 && seen < MANY, "{lost} losses, {seen} seen");
        assert!(
            writer
                .write(&ops(10, delete))
                .await
                .unwrap()
                .iter()
                .all(Result::is_ok)
        );
        assert_eq!(drained(&mut monitor), (0, 10));
    });
}
