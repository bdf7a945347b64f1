//! Connections that the speaker has closed with last words: they are written, and the peer gets a moment to read them.
//!
//! Closing with unread input would send a TCP reset, and that can overtake the NOTIFICATION at the peer. So a closed
//! connection lingers, for [`LAST_WORDS`] at most, and no more than [`EACH`] for one address: a peer that connects only
//! to be refused costs no more file descriptors than that.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a NOTIFICATION may take to leave, and how long we wait for the peer to have read it.
pub const LAST_WORDS: Duration = Duration::from_secs(1);

/// Connections of one address that may linger at the same time.
const EACH: usize = 2;

/// All that linger. Dropping this closes them at once.
#[derive(Debug, Default)]
pub struct Farewells {
    tasks: JoinSet<IpAddr>,
    lingering: HashMap<IpAddr, usize>,
}

impl Farewells {
    /// Says `words`, which begin at the boundary of a message, and closes.
    pub fn say(&mut self, stream: TcpStream, remote: IpAddr, words: Vec<u8>) {
        while let Some(ended) = self.tasks.try_join_next() {
            self.ended(ended.ok());
        }
        let count = self.lingering.entry(remote).or_default();
        if *count >= EACH {
            // What the socket takes now may still arrive.
            let _ = stream.try_write(&words);
            return;
        }
        *count += 1;
        self.tasks.spawn(async move {
            // Deadline or error: the connection ends either way.
            let _ = timeout(LAST_WORDS, say_and_linger(stream, &words)).await;
            remote
        });
    }

    /// How many linger.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lingering.values().sum()
    }

    /// Waits until all are closed.
    pub async fn finish(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended.ok());
        }
    }

    fn ended(&mut self, remote: Option<IpAddr>) {
        let Some(remote) = remote else {
            tracing::error!("closing a BGP connection failed");
            return;
        };
        if let Some(count) = self.lingering.get_mut(&remote) {
            *count -= 1;
            if *count == 0 {
                self.lingering.remove(&remote);
            }
        }
    }
}

async fn say_and_linger(mut stream: TcpStream, words: &[u8]) -> io::Result<()> {
    stream.write_all(words).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_address_has_few_that_linger_and_all_get_their_words() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut farewells = Farewells::default();
        let mut peers = Vec::new();
        for _ in 0..5 {
            peers.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            let (stream, remote) = listener.accept().await.unwrap();
            farewells.say(stream, remote.ip(), b"goodbye".to_vec());
        }
        assert_eq!(farewells.len(), EACH);
        for mut peer in peers {
            let mut heard = Vec::new();
            peer.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"goodbye");
        }
        farewells.finish().await;
        assert_eq!(farewells.len(), 0);
    }
}
