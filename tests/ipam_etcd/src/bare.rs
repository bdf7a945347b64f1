//! The yardstick: a transaction of a claim's size, sent with nothing but the etcd client.

use std::time::{Duration, Instant};

use datastore::{Transaction, Write};
use etcd_client::{Client, Compare, CompareOp, Error, Txn, TxnOp};

/// How long each of `count` bare transactions took, one after the other: as many comparisons as `like` has, all
/// of which hold, and as many writes of as many bytes, to keys that are not there.
///
/// # Errors
/// As etcd's.
pub async fn times(endpoints: &[String], like: &Transaction, count: usize) -> Result<Vec<Duration>, Error> {
    let mut client = Client::connect(endpoints, None).await?;
    let run = Instant::now().elapsed().as_nanos();
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let key = |part: usize| format!("/bare/{run}/v1/ownership/blocks/{number}-{part}");
        let compares: Vec<_> = (0..like.compare.len())
            .map(|part| Compare::version(key(part), CompareOp::Equal, 0))
            .collect();
        let writes: Vec<_> = like
            .write
            .iter()
            .enumerate()
            .map(|(part, write)| match write {
                Write::Put(_, text) => TxnOp::put(key(part), "x".repeat(text.len()), None),
                Write::Delete(_) => TxnOp::delete(key(part), None),
            })
            .collect();
        let txn = Txn::new().when(compares).and_then(writes);
        let begun = Instant::now();
        let answer = client.txn(txn).await?;
        assert!(answer.succeeded(), "nothing else writes these keys");
        times.push(begun.elapsed());
    }
    Ok(times)
}
