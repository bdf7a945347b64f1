//! `roadbed cni install` on a node whose containerd runs already, and `uninstall`.

use cri_testbed::Pod;

use super::cluster;
use crate::support::{check, cni, eventually, roadbed};

#[test]
fn an_installed_network_is_ready_without_a_restart_of_the_runtime() {
    let cluster = cluster::up_without_network("cri-install");
    let runtime = cluster.runtime("n1");
    let not_ready = || match runtime.client().network_ready().map_err(|e| e.to_string())? {
        Ok(()) => Err("the network is ready".to_owned()),
        Err(_) => Ok(()),
    };
    not_ready().expect("no network before the installation");
    let refused = runtime
        .client()
        .run_pod(&Pod::new("early"))
        .expect_err("no network");
    assert!(refused.to_string().contains("cni"), "{refused}");

    let folders = format!(
        "--bin-dir {} --conf-dir {}",
        runtime.plugin_folder().display(),
        runtime.network_folder().display()
    );
    let roadbed = roadbed().display().to_string();
    let install = format!(
        "{roadbed} cni install {folders} --from {} --wait --timeout 30",
        cni().display()
    );
    cluster.fabric.run("n1", &install);
    cluster.network_is_ready("n1");
    let pod = Pod::new("web").annotation("kubernetes.io/ingress-bandwidth", "8M");
    let web = cluster.run("n1", &pod, &["/bin/sleep", "1000"]);
    cluster.fabric.run("n1", &format!("ping -c 1 -W 2 {}", web.ipv4));
    // The reference plugins were there, so they are chained: the rate is set.
    let qdiscs = cluster.fabric.run("n1", "tc qdisc show");
    assert!(qdiscs.contains("tbf"), "{qdiscs}");
    // Once more changes nothing, and the pod is not disturbed.
    cluster.fabric.run("n1", &install);
    cluster.fabric.run("n1", &format!("ping -c 1 -W 2 {}", web.ipv4));
    cluster.remove("n1", &web);

    // A version that this containerd does not read: the pod's event says so, and installing again mends it.
    let file = runtime.network_folder().join("10-roadbed.conflist");
    let text = std::fs::read_to_string(&file).expect("the network configuration");
    let newer = text.replace("\"1.0.0\"", "\"1.1.0\"");
    assert_ne!(newer, text);
    std::fs::write(&file, newer).expect("write the network configuration");
    let refused = eventually("containerd has read the file", || {
        let run = runtime.client().run_pod(&Pod::new("newer"));
        run.err().ok_or_else(|| "the pod came up".to_owned())
    });
    assert!(
        refused.to_string().contains("unsupported CNI result version"),
        "{refused}"
    );
    cluster.fabric.run("n1", &install);
    let pod = Pod::new("again");
    let again = eventually("a pod of the mended network", || {
        let run = runtime.client().run_pod(&pod);
        run.map_err(|e| e.to_string())
    });
    runtime.client().stop_pod(&again).expect("StopPodSandbox");
    runtime.client().remove_pod(&again).expect("RemovePodSandbox");

    cluster
        .fabric
        .run("n1", &format!("{roadbed} cni uninstall {folders}"));
    eventually("the runtime knows that its network is gone", not_ready);
    let left: Vec<_> = [runtime.plugin_folder(), runtime.network_folder()]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("the folder"))
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.contains("roadbed"))
        .collect();
    check(left.is_empty(), || format!("{left:?} stays")).unwrap_or_else(|e| panic!("{e}"));
}
