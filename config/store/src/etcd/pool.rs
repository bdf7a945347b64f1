//! Connections: at most one to each member, made when it is needed, thrown away when it fails.
//!
//! All calls go to the current member. When it fails, the next one becomes current for everybody, so that one call
//! pays for a dead member and not all of them; and whoever waits on a connection that another call found broken is
//! told, so that a watch moves on as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use config::agent_file::EtcdSettings;
use etcd_client::{Channel, Client, ConnectOptions};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;
use tonic::transport::Endpoint;

use super::errors::{self, Trouble, of_connect};
use super::timing::Timing;
use super::tls;

/// The members and the connections to them.
pub(super) struct Pool {
    settings: EtcdSettings,
    pub timing: Timing,
    slots: Vec<Slot>,
    current: AtomicUsize,
}

struct Slot {
    url: String,
    live: Mutex<Option<Live>>,
}

/// A connection that works as far as is known.
#[derive(Clone)]
pub(super) struct Live {
    pub client: Client,
    /// Without a user, though one is configured: etcd had authentication switched off.
    pub anonymous: bool,
    slot: usize,
    broken: Arc<watch::Sender<bool>>,
}

impl Live {
    /// Ends when somebody finds the connection broken.
    pub fn broken(&self) -> watch::Receiver<bool> {
        self.broken.subscribe()
    }
}

impl Pool {
    pub fn new(settings: EtcdSettings, timing: Timing) -> Pool {
        let slot = |url: &String| Slot {
            url: url.clone(),
            live: Mutex::new(None),
        };
        Pool {
            slots: settings.endpoints.iter().map(slot).collect(),
            settings,
            timing,
            current: AtomicUsize::new(0),
        }
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.slots.len()
    }

    /// The member that calls go to.
    pub fn current(&self) -> usize {
        self.current.load(Ordering::Relaxed) % self.slots.len().max(1)
    }

    /// Sends calls to one of the members from now on, whatever the number.
    pub fn begin_at(&self, number: u64) {
        let slot = number.checked_rem(self.slots.len() as u64).unwrap_or(0);
        self.current
            .store(usize::try_from(slot).unwrap_or(0), Ordering::Relaxed);
    }

    /// The URL of a member.
    pub fn url(&self, slot: usize) -> &str {
        &self.slots[slot].url
    }

    /// From now on calls go to the member after this one, if it still is the current one.
    pub fn move_on(&self, slot: usize) {
        let next = (slot + 1) % self.slots.len();
        // Who loses the race finds that somebody else has moved on.
        let _ = self
            .current
            .compare_exchange(slot, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Throws a connection away and tells all who wait on it.
    pub fn broke(&self, live: &Live) {
        live.broken.send_replace(true);
    }

    /// [`Pool::broke`], and calls go elsewhere.
    pub fn failed(&self, live: &Live) {
        self.broke(live);
        self.move_on(live.slot);
    }

    /// The connection to a member, made if there is none.
    pub async fn live(&self, slot: usize) -> Result<Live, Trouble> {
        let limit = self.timing.connect;
        let made = timeout(limit, async {
            let mut held = self.slots[slot].live.lock().await;
            if let Some(live) = held.as_ref().filter(|live| !*live.broken.borrow()) {
                return Ok(live.clone());
            }
            *held = None;
            let live = self.connect(slot).await?;
            Ok(held.insert(live).clone())
        });
        made.await.unwrap_or_else(|_| {
            Err(Trouble::Away(format!(
                "no connection within {} s",
                limit.as_secs_f32()
            )))
        })
    }

    async fn connect(&self, slot: usize) -> Result<Live, Trouble> {
        let url = self.slots[slot].url.clone();
        let (settings, https) = (self.settings.clone(), url.starts_with("https://"));
        // Files on a disk that hangs must not hold up the runtime.
        let read = tokio::task::spawn_blocking(move || tls::read(&settings, https)).await;
        let secrets = read.map_err(|_| Trouble::Away("the runtime is ending".into()))??;
        let mut endpoint = Endpoint::from_shared(url).map_err(|e| of_connect(&e))?;
        endpoint = endpoint
            .tcp_nodelay(true)
            .connect_timeout(self.timing.connect)
            .http2_keep_alive_interval(self.timing.ping)
            .keep_alive_timeout(self.timing.ping_answer)
            // etcd takes pings on a connection without calls for an attack and closes it.
            .keep_alive_while_idle(false);
        if let Some(tls) = secrets.tls {
            endpoint = endpoint.tls_config(tls).map_err(|e| Trouble::Refused {
                detail: format!("the certificates cannot be used ({})", of_connect(&e).detail()),
                fix: "check datastore.caFile, datastore.certFile and datastore.keyFile".into(),
            })?;
        }
        let channel = endpoint.connect().await.map_err(|e| of_connect(&e))?;
        let options = ConnectOptions::new().with_require_leader(true);
        let (client, anonymous) = match secrets.user {
            None => (
                Client::from_channel(Channel::Tonic(channel), Some(options)).await,
                false,
            ),
            Some((name, password)) => {
                let with_user = options.clone().with_user(name, password);
                match Client::from_channel(Channel::Tonic(channel.clone()), Some(with_user)).await {
                    Err(e) if errors::is_auth_off(&e) => (
                        Client::from_channel(Channel::Tonic(channel), Some(options)).await,
                        true,
                    ),
                    done => (done, false),
                }
            }
        };
        let client = client.map_err(|e| match errors::classify(&e) {
            // To ask for a token changes nothing.
            Trouble::Lost(detail) => Trouble::Away(detail),
            trouble => trouble,
        })?;
        Ok(Live {
            client,
            anonymous,
            slot,
            broken: Arc::new(watch::Sender::new(false)),
        })
    }
}
