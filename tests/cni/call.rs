//! One call of the plugin, told apart by container, interface, arguments and the name that it is called by.

use std::os::unix::fs::symlink;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::plugin::{answer, execute, netns};
use crate::support::{Fabric, cni};

/// The plugin in a folder of its own, by both of its names.
pub struct Plugins {
    folder: TempDir,
}

/// Who is plugged in.
#[derive(Clone, Copy)]
pub struct Attachment<'a> {
    pub fabric: &'a Fabric,
    pub plugins: &'a Plugins,
    pub container: &'a str,
    pub ifname: &'a str,
}

impl Plugins {
    pub fn install() -> Plugins {
        let folder = tempfile::tempdir().expect("a folder of plugins");
        for name in ["roadbed", "roadbed-ipam"] {
            symlink(cni(), folder.path().join(name)).expect("a name of the plugin");
        }
        Plugins { folder }
    }
}

impl Attachment<'_> {
    /// Executes the plugin that the configuration names on node n1, with further `CNI_ARGS`.
    pub fn call(&self, verb: &str, config: &Value, args: &str) -> Output {
        let name = config["ipam"]["type"].as_str().unwrap_or("roadbed");
        let program = self.plugins.folder.path().join(name);
        let pod = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={}{args}",
            self.container
        );
        let netns = netns(self.fabric, self.container);
        execute(self.fabric, "n1", &program, config, |command| {
            command
                .env("CNI_COMMAND", verb)
                .env("CNI_CONTAINERID", self.container)
                .env("CNI_NETNS", netns)
                .env("CNI_IFNAME", self.ifname)
                .env("CNI_PATH", self.plugins.folder.path())
                .env("CNI_ARGS", pod);
        })
    }

    /// ADD, which has to succeed.
    #[track_caller]
    pub fn add(&self, config: &Value, args: &str) -> Value {
        let done = self.call("ADD", config, args);
        assert!(done.status.success(), "{done:?}");
        answer(&done)
    }

    /// A verb with the result of the ADD before, and what it says where it does not succeed.
    pub fn with_result(&self, verb: &str, config: &Value, result: &Value) -> Result<(), Value> {
        let mut config = config.clone();
        config["prevResult"] = result.clone();
        let done = self.call(verb, &config, "");
        match done.status.success() {
            true => Ok(()),
            false => Err(answer(&done)),
        }
    }
}
