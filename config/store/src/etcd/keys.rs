//! Where a key lies in etcd: `<prefix>/v1/<space>/<group>/<name>`. Pure.
//!
//! `v1` is the format of the keys: another one would lie beside it and not be read by this one.

use datastore::{Key, Space};

/// How keys are laid out under a prefix.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: String,
}

impl Layout {
    /// Under a prefix such as `/roadbed`; a slash at its end makes no difference.
    pub fn new(prefix: &str) -> Layout {
        Layout {
            root: format!("{}/v1/", prefix.trim_end_matches('/')),
        }
    }

    /// The bytes of a key.
    pub fn path(&self, key: &Key) -> String {
        format!("{}{}/{}", self.prefix(key.space()), key.group(), key.name())
    }

    /// What all keys of a space begin with.
    pub fn prefix(&self, space: Space) -> String {
        format!("{}{}/", self.root, word(space))
    }

    /// The key of a path inside a space; none for what others put there.
    pub fn parse(&self, space: Space, path: &[u8]) -> Option<Key> {
        let path = std::str::from_utf8(path).ok()?;
        let (group, name) = path.strip_prefix(self.prefix(space).as_str())?.split_once('/')?;
        Key::parse(group, name).ok().filter(|key| key.space() == space)
    }
}

fn word(space: Space) -> &'static str {
    match space {
        Space::Resources => "resources",
        Space::Ownership => "ownership",
        Space::Addresses => "addresses",
    }
}

/// The end of the range of all keys with a prefix: the prefix with its last byte one higher (a prefix of ours ends
/// with `/`, so that this is always there).
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use config::fields::ResourceKind;

    use super::*;

    #[test]
    fn keys_lie_where_operators_look_and_come_back() {
        let layout = Layout::new("/roadbed");
        let keys = [
            (
                Key::resource(ResourceKind::IpPool, "pods"),
                "/roadbed/v1/resources/IPPool/pods",
            ),
            (
                Key::Block("10.244.1.0/26".parse().unwrap()),
                "/roadbed/v1/ownership/blocks/10.244.1.0-26",
            ),
            (
                Key::Address("10.244.1.7".parse().unwrap()),
                "/roadbed/v1/addresses/addresses/10.244.1.7",
            ),
        ];
        for (key, path) in keys {
            assert_eq!(layout.path(&key), path);
            assert_eq!(layout.parse(key.space(), path.as_bytes()), Some(key));
        }
        assert_eq!(
            Layout::new("/a/").path(&Key::Sticky("x.y".into())),
            "/a/v1/ownership/sticky/x.y"
        );
    }

    #[test]
    fn what_others_put_there_is_no_key() {
        let layout = Layout::new("/roadbed");
        for path in [
            "/roadbed/v1/resources/IPPool",
            "/roadbed/v1/resources/IPPool/Upper",
            "/roadbed/v1/resources/IPPool/a/b",
            "/roadbed/v1/resources/blocks/10.244.1.0-26",
            "/roadbed/v2/resources/IPPool/pods",
            "/roadbed/v1/ownership/IPPool/pods",
        ] {
            assert_eq!(layout.parse(Space::Resources, path.as_bytes()), None, "{path}");
        }
        assert_eq!(
            layout.parse(Space::Resources, b"/roadbed/v1/resources/IPPool/\xff"),
            None
        );
    }

    #[test]
    fn a_range_ends_after_the_last_key_of_the_prefix() {
        assert_eq!(end_of("/a/"), b"/a0");
    }
}
