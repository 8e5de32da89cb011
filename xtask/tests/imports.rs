//! House rule: the files of a crate import one another without a cycle, and by path.
//!
//! The tokens of every file are read for paths that lead to another file of its crate: those that begin
//! with `crate`, `self` or `super`, and those that begin with a child module. A re-export leads on to the
//! file that defines the name, so a `mod.rs` that only declares and re-exports its children joins no cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module path within its crate: `["simd", "math"]`; the root is empty.
type Module = Vec<String>;

/// The files of one crate, and what each of them names in the others.
struct Crate {
    files: BTreeMap<Module, PathBuf>,
    /// For each module, the names that it re-exports and the paths behind them.
    reexports: BTreeMap<Module, BTreeMap<String, Module>>,
    /// The paths that each module names, from the crate's root.
    named: BTreeMap<Module, BTreeSet<Module>>,
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        find_files(src, &mut Module::new(), &mut files);
        let (mut reexports, mut named) = (BTreeMap::new(), BTreeMap::new());
        for (module, path) in &files {
            let text = fs::read_to_string(path).unwrap();
            let tokens: TokenStream =
                text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut reader = Reader::new(module, &files);
            reader.read(tokens);
            reexports.insert(module.clone(), reader.reexports);
            named.insert(module.clone(), reader.named);
        }
        Self { files, reexports, named }
    }

    /// The module whose file defines what `path` leads to.
    fn resolve(&self, path: &[String]) -> Module {
        // Each turn follows one re-export, and a valid crate has no cycle of them.
        let mut path = path.to_vec();
        loop {
            let mut depth = path.len();
            while !self.files.contains_key(&path[..depth]) {
                depth -= 1;
            }
            let (module, rest) = path.split_at(depth);
            let target = rest.first().and_then(|name| self.reexports[module].get(name));
            match target {
                Some(target) => path = [target, &rest[1..]].concat(),
                None => return module.to_vec(),
            }
        }
    }

    /// For each module, the modules that it imports.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let resolve = |(module, paths): (&Module, &BTreeSet<Module>)| {
            let mut imports: BTreeSet<_> = paths.iter().map(|path| self.resolve(path)).collect();
            imports.remove(module);
            (module.clone(), imports)
        };
        self.named.iter().map(resolve).collect()
    }
}

/// Collects the `.rs` files below a folder under their module paths.
fn find_files(folder: &Path, module: &mut Module, files: &mut BTreeMap<Module, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        if path.is_dir() {
            module.push(stem);
            find_files(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut module = module.clone();
            match (stem.as_str(), module.is_empty()) {
                // A package may hold a library and a binary. Only the library has siblings.
                ("main", true) if folder.join("lib.rs").exists() => continue,
                ("lib" | "main", true) | ("mod", _) => {}
                _ => module.push(stem),
            }
            files.insert(module, path);
        }
    }
}

/// Reads the paths in one file's tokens.
struct Reader<'a> {
    module: &'a Module,
    files: &'a BTreeMap<Module, PathBuf>,
    /// How many inline modules the tokens lie in.
    inline: usize,
    named: BTreeSet<Module>,
    reexports: BTreeMap<String, Module>,
}

impl<'a> Reader<'a> {
    fn new(module: &'a Module, files: &'a BTreeMap<Module, PathBuf>) -> Self {
        Self { module, files, inline: 0, named: BTreeSet::new(), reexports: BTreeMap::new() }
    }

    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    at += 1;
                    let attribute = tokens.get(at).map(|token| token.to_string().replace(' ', ""));
                    // Unit tests may import whatever they like. They are the last item of a file.
                    if attribute.as_deref() == Some("[cfg(test)]") {
                        at += tokens[at..]
                            .iter()
                            .position(|token| {
                                is_group(token, Delimiter::Brace) || is_punct(token, ';')
                            })
                            .unwrap_or_default();
                    }
                }
                // The path in `pub(super)` or `pub(in ...)` imports nothing.
                TokenTree::Ident(ident) if ident == "pub" => {
                    let scope = tokens.get(at + 1);
                    at += usize::from(scope.is_some_and(|t| is_group(t, Delimiter::Parenthesis)));
                }
                TokenTree::Ident(ident) if ident == "use" => {
                    let end = at + tokens[at..].iter().position(|t| is_punct(t, ';')).unwrap();
                    self.tree(&tokens[at + 1..end], &[], is_public(&tokens[..at]));
                    at = end;
                }
                TokenTree::Ident(ident) if ident == "mod" => {
                    at += 2;
                    if let Some(TokenTree::Group(body)) = tokens.get(at) {
                        self.inline += 1;
                        self.read(body.stream());
                        self.inline -= 1;
                    }
                }
                TokenTree::Ident(_) if !preceded_by_path(&tokens, at) => {
                    let end = path_end(&tokens, at);
                    let path: Vec<_> =
                        (at..end).step_by(3).map(|k| tokens[k].to_string()).collect();
                    self.name(&path);
                    at = end - 1;
                }
                TokenTree::Group(group) => self.read(group.stream()),
                _ => {}
            }
            at += 1;
        }
    }

    /// Reads what follows `use`: a path, which may end in braces that hold further paths.
    fn tree(&mut self, tokens: &[TokenTree], prefix: &[String], public: bool) {
        for tokens in tokens.split(|token| is_punct(token, ',')) {
            let mut path = prefix.to_vec();
            let mut alias = None;
            let mut at = 0;
            while let Some(token) = tokens.get(at) {
                match token {
                    TokenTree::Ident(ident) if ident == "as" => {
                        alias = tokens.get(at + 1).map(ToString::to_string);
                        break;
                    }
                    TokenTree::Ident(ident) => path.push(ident.to_string()),
                    TokenTree::Group(group) => {
                        let inner: Vec<_> = group.stream().into_iter().collect();
                        self.tree(&inner, &path, public);
                        path.clear();
                    }
                    _ => {}
                }
                at += 1;
            }
            if path.is_empty() {
                continue;
            }
            match self.absolute(&path).filter(|_| public) {
                Some(absolute) => {
                    let name = alias.unwrap_or_else(|| path.last().unwrap().clone());
                    self.reexports.insert(name, absolute);
                }
                None => self.name(&path),
            }
        }
    }

    fn name(&mut self, path: &[String]) {
        self.named.extend(self.absolute(path));
    }

    /// The path from the crate's root, where it leads to this crate at all.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut module = self.module.clone();
        match first.as_str() {
            "crate" => return Some(rest.to_vec()).filter(|rest| !rest.is_empty()),
            "self" if !rest.is_empty() => {}
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                module.truncate(module.len().saturating_sub(ups.saturating_sub(self.inline)));
                return Some([&module, &path[ups..]].concat());
            }
            _ => {
                module.push(first.clone());
                if !self.files.contains_key(&module) || rest.is_empty() {
                    return None;
                }
            }
        }
        module.extend(rest.iter().cloned());
        Some(module)
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// Whether the tokens before `use` make it a re-export: `pub`, or `pub(...)`.
fn is_public(before: &[TokenTree]) -> bool {
    let visibility = match before {
        [rest @ .., group] if is_group(group, Delimiter::Parenthesis) => rest,
        _ => before,
    };
    matches!(visibility.last(), Some(TokenTree::Ident(ident)) if ident == "pub")
}

/// Whether the identifier goes on a path (`a::b`) or follows a dot (`a.b`).
fn preceded_by_path(tokens: &[TokenTree], at: usize) -> bool {
    at > 0
        && (is_punct(&tokens[at - 1], ':') && at > 1 && is_punct(&tokens[at - 2], ':')
            || is_punct(&tokens[at - 1], '.'))
}

/// The index after the last identifier of the path that begins at `at`.
fn path_end(tokens: &[TokenTree], mut at: usize) -> usize {
    while let [_, a, b, TokenTree::Ident(_), ..] = &tokens[at..] {
        if !is_punct(a, ':') || !is_punct(b, ':') {
            break;
        }
        at += 3;
    }
    at + 1
}

/// A cycle that goes through `start`, as the modules along it.
fn cycle(imports: &BTreeMap<Module, BTreeSet<Module>>, start: &Module) -> Option<Vec<Module>> {
    let mut paths = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        for next in &imports[path.last().unwrap()] {
            if next == start {
                return Some(path);
            }
            if seen.insert(next.clone()) {
                paths.push([path.clone(), vec![next.clone()]].concat());
            }
        }
    }
    None
}

/// The `src` folder of every package of the workspace.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let crates = fs::read_dir(root.join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path().join("src"));
    crates.chain([root.join("xtask/src"), root.join("xtask/compare/src")]).collect()
}

fn show(module: &Module) -> String {
    if module.is_empty() { "the crate root".into() } else { module.join("::") }
}

#[test]
fn no_file_imports_itself_through_others() {
    let mut faults = vec![];
    for src in sources() {
        let imports = Crate::read(&src).imports();
        for module in imports.keys() {
            // Each cycle is found from all of its files and told from the first.
            if let Some(cycle) = cycle(&imports, module)
                && cycle.iter().min() == Some(module)
            {
                let cycle: Vec<_> = cycle.iter().chain([module]).map(show).collect();
                faults.push(format!("{}: {}", src.display(), cycle.join(" -> ")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn siblings_are_imported_by_path() {
    let mut faults = vec![];
    for src in sources() {
        let krate = Crate::read(&src);
        for (module, paths) in &krate.named {
            for path in paths.iter().filter(|path| path.len() == 1 && !module.is_empty()) {
                let target = krate.resolve(path);
                if !krate.files.contains_key(path) && !target.is_empty() {
                    let (file, name) = (krate.files[module].display(), &path[0]);
                    faults.push(format!("{file}: crate::{name} lies in {}", show(&target)));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_cycle_is_found_behind_a_re_export_and_in_a_macro() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod room; pub use a::A;");
    write("a.rs", "use crate::room::B; pub struct A(B);");
    write("room/mod.rs", "mod b; pub(crate) use b::{B, C as D};");
    write("room/b.rs", "pub struct B; macro_rules! m { () => { $crate::a::A } }");
    let imports = Crate::read(folder.path()).imports();
    let (a, b) = (vec!["a".to_string()], vec!["room".to_string(), "b".to_string()]);
    assert_eq!(cycle(&imports, &a), Some(vec![a.clone(), b.clone()]));
    assert_eq!(imports[&vec!["room".to_string()]], BTreeSet::new());

    // What only tests import joins no cycle.
    write("room/b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }");
    assert_eq!(cycle(&Crate::read(folder.path()).imports(), &a), None);
}
