//! House rules that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn crates() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_crate_is_on_the_map_and_has_an_example() {
    let (map, readme) = (read("ARCHITECTURE.md"), read("README.md"));
    for name in crates() {
        assert!(map.contains(&format!("**{name}**")), "ARCHITECTURE.md lacks {name}");
        assert!(readme.contains(&format!("crates/{name}")), "README.md lacks {name}");
        let examples = root().join("crates").join(&name).join("examples");
        assert!(fs::read_dir(examples).is_ok_and(|mut e| e.next().is_some()), "{name}: no example");
    }
}

#[test]
fn every_workspace_dependency_is_used() {
    let workspace = read("Cargo.toml");
    let dependencies = workspace.split("[workspace.dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let mut manifests = read("xtask/Cargo.toml");
    for name in crates() {
        manifests += &read(format!("crates/{name}/Cargo.toml"));
    }
    for line in dependencies.lines().filter(|line| line.contains(" = ")) {
        let name = line.split(" = ").next().unwrap();
        assert!(manifests.contains(&format!("{name}.workspace")), "nobody uses {name}");
    }
}

#[test]
fn the_sequence_crate_stays_light() {
    let manifest = read("crates/ragged-sequence/Cargo.toml");
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let names: Vec<_> = dependencies.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(names, ["candle-core.workspace = true", "thiserror.workspace = true"]);
}

#[test]
fn only_the_kernels_are_unsafe() {
    for name in crates().iter().filter(|name| *name != "ragged-kernels") {
        let lib = read(format!("crates/{name}/src/lib.rs"));
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{name} may be unsafe");
    }
}

/// Every path that a document links to is there.
#[test]
fn links_lead_somewhere() {
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/packing.md",
        "docs/runs.md",
        "docs/training.md",
        "docs/data.md",
        "docs/lstm.md",
        "docs/performance.md",
        "docs/pytorch.md",
    ];
    for document in documents {
        let folder = root().join(document).parent().unwrap().to_path_buf();
        for link in read(document).split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if !target.starts_with("http") {
                assert!(folder.join(target).exists(), "{document} links to {target}");
            }
        }
    }
}
