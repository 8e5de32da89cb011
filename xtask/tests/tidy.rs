//! House rules that the compiler does not check.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

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

/// The folders of all packages of the workspace, relative to its root.
fn packages() -> Vec<PathBuf> {
    let published = crates().into_iter().map(|name| Path::new("crates").join(name));
    published.chain(["xtask", "xtask/compare"].map(PathBuf::from)).collect()
}

#[test]
fn every_crate_is_documented_and_has_an_example() {
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
    let manifests: Vec<String> =
        packages().iter().map(|package| read(package.join("Cargo.toml"))).collect();
    let mut uses: HashSet<&str> = HashSet::new();
    for line in manifests.iter().flat_map(|manifest| manifest.lines()) {
        // `NAME.workspace = true` or `NAME = { workspace = true, .. }`.
        let name =
            line.split_once(".workspace = true").or(line.split_once(" = { workspace = true"));
        uses.extend(name.map(|(name, _)| name));
    }
    for line in dependencies.lines().filter(|line| line.contains(" = ")) {
        let name = line.split(" = ").next().unwrap();
        assert!(line.starts_with('#') || uses.contains(name), "no crate uses {name}");
    }
}

#[test]
fn the_crates_without_tensors_stay_light() {
    let depends_on = |name: &str| -> Vec<String> {
        let manifest = read(format!("crates/{name}/Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap().lines();
        let required = dependencies.filter(|line| !line.is_empty() && !line.contains("optional"));
        required.map(|line| line.split(['.', ' ']).next().unwrap().to_string()).collect()
    };
    assert_eq!(depends_on("ragged-sequence"), ["thiserror"]);
    assert_eq!(depends_on("ragged-transforms"), ["serde", "thiserror"]);
    assert_eq!(depends_on("ragged-kernels"), ["thiserror"]);
    let ours = ["ragged-kernels", "ragged-sequence", "ragged-transforms"];
    let others = ["safetensors", "serde", "serde_json", "sha2", "thiserror"];
    assert_eq!(depends_on("ragged-runtime"), [&ours[..], &others].concat());
}

#[test]
fn only_the_kernels_crate_has_unsafe_code() {
    for package in packages().iter().filter(|package| !package.ends_with("ragged-kernels")) {
        let roots = ["src/lib.rs", "src/main.rs", "src/pages.rs"].map(|file| package.join(file));
        for file in roots.iter().filter(|file| root().join(file).exists()) {
            let forbids = read(file).contains("#![forbid(unsafe_code)]");
            assert!(forbids, "{} lacks #![forbid(unsafe_code)]", file.display());
        }
    }
}

/// Every Markdown page of the repository, as paths relative to its root.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = folder.join(&name);
            let skipped = name.starts_with('.') || ["target", "data", "runs"].contains(&&*name);
            if entry.file_type().unwrap().is_dir() {
                if !skipped {
                    walk(&path, found);
                }
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![];
    walk(Path::new(""), &mut found);
    assert!(found.contains(&PathBuf::from("docs/lecture.md")), "the walk found {found:?}");
    found
}

/// The targets of the links and images of a page, without code blocks.
fn links(page: &Path) -> Vec<String> {
    let text = read(page);
    let prose: String = text.split("```").step_by(2).collect();
    let mut targets: Vec<String> =
        prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_string()).collect();
    for attribute in ["href=\"", "src=\""] {
        let found = prose.split(attribute).skip(1);
        targets.extend(found.map(|rest| rest.split('"').next().unwrap().to_string()));
    }
    targets
}

/// The anchors that GitHub gives to the headings of a page.
fn anchors(page: &Path) -> HashSet<String> {
    let text = read(page);
    let prose: String = text.split("```").step_by(2).collect();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The file that a relative link of `page` leads to, relative to the root, and its anchor.
fn resolve(page: &Path, target: &str) -> (PathBuf, Option<String>) {
    let (path, anchor) = match target.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_string())),
        None => (target, None),
    };
    if path.is_empty() {
        return (page.to_path_buf(), anchor);
    }
    let mut resolved = page.parent().unwrap().to_path_buf();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => assert!(resolved.pop(), "{target} leaves the repository"),
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    (resolved, anchor)
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        for target in links(&page) {
            if target.starts_with("http://") || target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = resolve(&page, &target);
            assert!(root().join(&path).exists(), "{} links to {target}", page.display());
            if let Some(anchor) = anchor {
                let found = anchors(&path).contains(&anchor);
                assert!(found, "{}: no heading for the link {target}", page.display());
            }
        }
    }
}

/// Every page and picture can be reached from the README. A crate's own README is reached through
/// the link to the crate's folder.
#[test]
fn every_page_is_linked_from_the_readme() {
    let mut reached = HashSet::from([PathBuf::from("README.md")]);
    let mut open = vec![PathBuf::from("README.md")];
    while let Some(page) = open.pop() {
        for target in links(&page).iter().filter(|target| !target.starts_with("http")) {
            let (mut path, _) = resolve(&page, target);
            if root().join(&path).is_dir() {
                path.push("README.md");
            }
            let is_page =
                path.extension().is_some_and(|e| e == "md") && root().join(&path).exists();
            if reached.insert(path.clone()) && is_page {
                open.push(path);
            }
        }
    }
    let pictures = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pictures = pictures.filter(|path| path.extension().is_some_and(|e| e == "svg"));
    let pictures = pictures.map(|path| path.strip_prefix(root()).unwrap().to_path_buf());
    for page in pages().into_iter().chain(pictures) {
        assert!(reached.contains(&page), "no page links to {}", page.display());
    }
}

/// Every file or folder of the repository that a page names in inline code exists.
#[test]
fn named_files_exist() {
    let folders =
        ["configs/", "crates/", "docs/", "examples/", "fuzz/", "python/", "validation/", "xtask/"];
    for page in pages() {
        let text = read(&page);
        let prose: String = text.split("```").step_by(2).collect();
        for code in prose.split('`').skip(1).step_by(2) {
            for word in code.split_whitespace() {
                if word.len() > 8 && folders.iter().any(|folder| word.starts_with(folder)) {
                    let exists = root().join(word).exists();
                    assert!(exists, "{} names {word}, which does not exist", page.display());
                }
            }
        }
    }
}
