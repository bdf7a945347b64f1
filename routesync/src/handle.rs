//! What callers hold: they publish wishes, watch the kernel and the progress, and wait for single routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;

use crate::{
    diff::{Op, OpKind},
    error::Error,
    inbox::Inbox,
    model::{
        DesiredFib, DesiredNexthops, DesiredRoute, KernelView, Protocol, RouteKey, Settings, SyncStatus,
    },
    netlink::{dump::Dumper, writer::Writer},
    nexthop::{
        mirror::Mirror,
        object::{NexthopOp, NexthopOpKind, Object},
    },
    route::{KernelHop, KernelRoute},
    task::Task,
};

/// A handle to the synchronisation task. The task ends with the last handle and leaves all routes in place.
#[derive(Debug, Clone)]
pub struct Handle {
    inbox: Arc<Inbox>,
    /// Wakes the task.
    bell: Arc<watch::Sender<u64>>,
    view: watch::Receiver<Arc<KernelView>>,
    status: watch::Receiver<Arc<SyncStatus>>,
}

/// Starts synchronisation in the network namespace of the calling thread, as a task of the current tokio runtime.
///
/// Until the first [`Handle::publish`] the kernel is only watched.
///
/// # Errors
/// [`Error::Open`] where the sockets cannot be opened.
pub fn start(settings: Settings) -> Result<Handle, Error> {
    let inbox = Arc::new(Inbox::default());
    let (bell, bell_in) = watch::channel(0);
    let (view_out, view) = watch::channel(Arc::default());
    let (status_out, status) = watch::channel(Arc::default());
    let task = Task::open(settings, inbox.clone(), bell_in, view_out, status_out)?;
    tokio::spawn(task.run());
    Ok(Handle {
        inbox,
        bell: Arc::new(bell),
        view,
        status,
    })
}

impl Handle {
    /// Publishes the complete wish in place of the one before. Returns its generation, for [`Handle::installed`].
    pub fn publish(&self, desired: DesiredFib) -> u64 {
        self.ring(self.inbox.publish(desired))
    }

    /// Changes the last complete wish: each key gets a route, or with `None` loses it. The fast path: the same as publishing the
    /// changed wish, at the cost of the changes alone. Returns the generation.
    pub fn update(&self, changes: Vec<(RouteKey, Option<DesiredRoute>)>, sweep: bool) -> u64 {
        self.ring(self.inbox.update(changes, sweep))
    }

    /// Publishes the complete wish for sets of hops in place of the one before; routes take them by name
    /// ([`Target::Via`](crate::Target::Via)). Moving all routes of a set is this alone. Returns the generation.
    pub fn publish_nexthops(&self, desired: DesiredNexthops) -> u64 {
        self.ring(self.inbox.publish_nexthops(desired))
    }

    fn ring(&self, generation: u64) -> u64 {
        self.bell.send_replace(generation);
        generation
    }

    /// The kernel's state that is not ours. Generation 0 is empty: nothing has been read yet.
    pub fn view(&self) -> watch::Receiver<Arc<KernelView>> {
        self.view.clone()
    }

    /// How far the wish is reality.
    pub fn status(&self) -> watch::Receiver<Arc<SyncStatus>> {
        self.status.clone()
    }

    /// Waits until the kernel has the route as it was wanted in `generation` or later.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] with the reason at the deadline, [`Error::NotWanted`] when the route is no part of the wish.
    pub async fn installed(&self, generation: u64, key: &RouteKey, deadline: Duration) -> Result<(), Error> {
        let key = key.normalized();
        let mut status = self.status.clone();
        let mut reason = String::from("the kernel has not been asked yet");
        let wait = async {
            loop {
                let now = status.borrow_and_update().clone();
                if now.in_sync_with >= generation {
                    match now.failed.binary_search_by_key(&key, |(key, ..)| *key) {
                        Ok(at) => reason.clone_from(&now.failed[at].1),
                        Err(_) => return self.wanted(key).await,
                    }
                } else if let Some(error) = &now.last_error {
                    reason.clone_from(error);
                }
                status.changed().await.map_err(|_| Error::Stopped)?;
            }
        };
        match tokio::time::timeout(deadline, wait).await {
            Ok(result) => result,
            Err(_) => Err(Error::NotInstalled { key, reason }),
        }
    }

    /// An error where the route is no part of the wish.
    async fn wanted(&self, key: RouteKey) -> Result<(), Error> {
        let answer = self.inbox.ask(key);
        self.bell.send_modify(|_| {});
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::NotWanted(key)),
            Err(_) => Err(Error::Stopped),
        }
    }
}

/// Our routes as the kernel has them at this moment, each with the names of the links that it leads to (none for a
/// blackhole). Read on a socket of its own (`RTM_GETROUTE`), so that it shows what is and not what is remembered.
///
/// # Errors
/// Where the kernel cannot be talked to.
pub async fn installed(protocol: Protocol) -> Result<Vec<(RouteKey, Vec<String>)>, Error> {
    let snapshot = Dumper::open()?.snapshot().await?;
    let names: BTreeMap<u32, String> = (snapshot.host.indexes().into_iter())
        .map(|(name, index)| (index, name.to_owned()))
        .collect();
    let ours = (snapshot.routes.into_iter()).filter(|(_, route)| route.protocol == protocol);
    let objects: Mirror = snapshot.nexthops.unwrap_or_default().into_iter().collect();
    let links = |route: KernelRoute| {
        let hops = route.nexthop.map_or(route.hops, |id| objects.hops(id).into());
        let name = |hop: &KernelHop| names.get(&hop.index).cloned();
        hops.iter().filter_map(name).collect()
    };
    Ok(ours.map(|(key, route)| (key, links(route))).collect())
}

/// Removes every route with that protocol number from every table, and then the nexthop objects of ours that no other route
/// uses, in the network namespace of the calling thread. Returns how many routes were removed.
///
/// # Errors
/// Where the kernel cannot be talked to, or refuses to remove a route.
pub async fn cleanup(protocol: Protocol) -> Result<usize, Error> {
    let (mut writer, mut dumper) = (Writer::open()?, Dumper::open()?);
    let mut removed = 0;
    // A key may hold several routes of ours, and each request removes one: again until there is none.
    loop {
        let routes = dumper.snapshot().await?.routes;
        let ours = routes.into_iter().filter(|(_, route)| route.protocol == protocol);
        let ops: Vec<_> = ours
            .map(|(key, _)| Op {
                key,
                kind: OpKind::Delete(protocol),
            })
            .collect();
        if ops.is_empty() {
            break;
        }
        let answers = writer.write(&ops).await?;
        let gone = answers.iter().filter(|answer| answer.is_ok()).count();
        removed += gone;
        let refusal = answers
            .into_iter()
            .filter_map(Result::err)
            .find(|refusal| !refusal.is_absence());
        if let Some(refusal) = refusal {
            return Err(Error::Refused {
                what: "remove a route of ours",
                reason: refusal.to_string(),
            });
        }
        if gone == 0 {
            break;
        }
    }
    cleanup_nexthops(protocol, &mut writer, &mut dumper).await?;
    Ok(removed)
}

/// Groups first, then their hops: the kernel takes along what refers to an object.
async fn cleanup_nexthops(protocol: Protocol, writer: &mut Writer, dumper: &mut Dumper) -> Result<(), Error> {
    for groups in [true, false] {
        let snapshot = dumper.snapshot().await?;
        let objects = snapshot.nexthops.unwrap_or_default();
        let mut used: BTreeSet<_> = (snapshot.routes.iter())
            .filter_map(|(_, route)| route.nexthop)
            .collect();
        for object in &objects {
            if let Object::Group(group) = &object.object {
                used.extend(group.members.iter().map(|member| member.id));
            }
        }
        let ours = objects.iter().filter(|object| {
            object.is_of(protocol)
                && !used.contains(&object.id)
                && matches!(object.object, Object::Group(_)) == groups
        });
        let ops = ours.map(|object| NexthopOp {
            id: object.id,
            protocol,
            kind: NexthopOpKind::Delete,
        });
        let ops: Vec<_> = ops.collect();
        let refusals = writer.write(&ops).await?.into_iter().filter_map(Result::err);
        if let Some(refusal) = refusals.into_iter().find(|refusal| !refusal.is_absence()) {
            return Err(Error::Refused {
                what: "remove a nexthop object of ours",
                reason: refusal.to_string(),
            });
        }
    }
    Ok(())
}
