//! A view that was moved on is the same as a new one.

use datastore::{Key, Space, SpaceView, Write};
use proptest::prelude::*;

use crate::cluster::ClusterView;
use crate::cluster::records::BlockRecord;
use crate::cluster::testing::{Cluster, net};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn moving_on_is_the_same_as_reading_anew(ops in prop::collection::vec((0u8..6, 0u8..8, 0u8..3), 1..40)) {
        let mut cluster = Cluster::default();
        let mut moved = ClusterView::default();
        for (what, which, node) in ops {
            let block = format!("10.0.0.{}/28", which * 16);
            let name = format!("n{node}");
            match what {
                0 => cluster.pool("pods", &format!(r#""cidr":"10.0.0.0/{}""#, 16 + which)),
                1 => cluster.node(&name, "r1", &[]),
                2 => cluster.node_goes(&name),
                3 => cluster.write(Write::Delete(Key::Block(net(&block)))),
                4 => cluster.put(Key::Block(net(&block)), r#"{"format":7}"#),
                _ => {
                    let record = BlockRecord::new("pods", name.parse().unwrap(), "1");
                    cluster.put(Key::Block(net(&block)), &record.to_text());
                }
            }
            let list = |space| SpaceView::from(cluster.store.list_now(space).unwrap());
            moved.refresh(&list(Space::Resources), &cluster.intent, &list(Space::Ownership));
            prop_assert_eq!(format!("{moved:?}"), format!("{:?}", cluster.view()));
        }
    }
}
