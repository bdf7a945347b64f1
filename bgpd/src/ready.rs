//! Which connections their sockets have called for: filled by wakers, one pair for each connection, emptied by the
//! engine. So one task serves any number of sockets and looks at none that has nothing to say.
//!
//! All of it happens on the engine's thread; the locks are never contended, wakers merely have to be `Sync`.

use bgpd_proto::types::ConnId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use tokio::sync::Notify;

/// The calls that have not been answered yet.
#[derive(Clone, Debug, Default)]
pub struct Ready {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    reads: Mutex<Vec<ConnId>>,
    writes: Mutex<Vec<ConnId>>,
    called: Notify,
}

/// What a socket is ready for.
#[derive(Clone, Copy, Debug)]
enum Side {
    Read,
    Write,
}

/// The waker of one side of one connection.
struct Signal {
    conn: ConnId,
    side: Side,
    inner: Arc<Inner>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let queue = match self.side {
            Side::Read => &self.inner.reads,
            Side::Write => &self.inner.writes,
        };
        lock(queue).push(self.conn);
        self.inner.called.notify_one();
    }
}

impl Ready {
    /// Calls `conn` up to be read.
    pub fn reader(&self, conn: ConnId) -> Waker {
        self.waker(conn, Side::Read)
    }

    /// Calls `conn` up to be written.
    pub fn writer(&self, conn: ConnId) -> Waker {
        self.waker(conn, Side::Write)
    }

    fn waker(&self, conn: ConnId, side: Side) -> Waker {
        let inner = Arc::clone(&self.inner);
        Waker::from(Arc::new(Signal { conn, side, inner }))
    }

    /// Calls `conn` up to be read, without its socket.
    pub fn call(&self, conn: ConnId) {
        lock(&self.inner.reads).push(conn);
        self.inner.called.notify_one();
    }

    /// Takes those that have something to read, or may have.
    pub fn take_reads(&self) -> Vec<ConnId> {
        std::mem::take(&mut lock(&self.inner.reads))
    }

    /// Takes those that have room again.
    pub fn take_writes(&self) -> Vec<ConnId> {
        std::mem::take(&mut lock(&self.inner.writes))
    }

    /// Waits for a call since the last wait; may come back once more than needed.
    pub async fn called(&self) {
        self.inner.called.notified().await;
    }
}

/// A list of numbers is whole whatever happened to its last user.
fn lock(queue: &Mutex<Vec<ConnId>>) -> MutexGuard<'_, Vec<ConnId>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
