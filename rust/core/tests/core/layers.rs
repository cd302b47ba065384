//! The layers of the engine: imports go down, in no circle; files stay short; only `fs` opens files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The folders of `rust/core/src`, the lowest first: each may import from those before it.
const LAYERS: [&str; 15] = [
    "base",
    "fs",
    "yaml",
    "types",
    "footer",
    "summary",
    "decode",
    "hash",
    "index",
    "segment",
    "write",
    "reading",
    "query",
    "catalogue",
    "upkeep",
];
/// A longer file holds more than one concept.
const LONGEST: usize = 500;
/// What opens, lists, changes or asks about files behind the back of `fs`. Predicates of paths (`exists`, `is_dir`)
/// and what is asked of an open file are not among them.
const FILE_ACCESS: [&str; 8] = [
    "std::fs",
    "os::unix::fs",
    "rustix::fs",
    "File::open",
    "File::create",
    "File::options",
    "OpenOptions",
    ".read_dir(",
];

/// Texts of source files by module, `segment::journal` for `segment/journal/mod.rs`.
type Sources = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

fn sources() -> Sources {
    let folder = root().join("core/src");
    let mut files = Vec::new();
    files_below(&folder, &mut files);
    let module = |path: &Path| {
        let parts = path.strip_prefix(&folder).unwrap().with_extension("");
        let parts: Vec<_> = parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.join("::").trim_end_matches("::mod").to_owned()
    };
    let read = |path: &PathBuf| (module(path), std::fs::read_to_string(path).unwrap());
    files.iter().map(read).filter(|(module, _)| module != "lib").collect()
}

/// The code without comments and without the tests at its end.
fn code_of(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// An imported path, with the name that it has here.
struct Import {
    path: String,
    name: String,
    is_public: bool,
}

/// The imports of a file, and its code without them.
fn imports_of(code: &str) -> (Vec<Import>, String) {
    let (mut imports, mut rest, mut statement) = (Vec::new(), String::new(), None::<String>);
    for line in code.lines() {
        let trimmed = line.trim_start();
        let is_use = trimmed.starts_with("use ") || trimmed.starts_with("pub") && trimmed.contains(" use ");
        match &mut statement {
            Some(open) => open.push_str(trimmed),
            None if is_use => statement = Some(trimmed.to_owned()),
            None => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
        if let Some(whole) = statement.take_if(|statement| statement.ends_with(';')) {
            let (visibility, tree) = whole.split_once("use ").unwrap();
            let mut paths = Vec::new();
            expand("", tree.trim_end_matches(';'), &mut paths);
            imports.extend(paths.into_iter().map(|path| {
                let (path, alias) =
                    path.split_once(" as ").map_or((path.as_str(), None), |(p, a)| (p, Some(a)));
                let name = alias.unwrap_or_else(|| path.rsplit("::").next().unwrap());
                let (path, name) = (path.to_owned(), name.to_owned());
                Import { path, name, is_public: visibility.starts_with("pub") }
            }));
        }
    }
    (imports, rest)
}

/// `a::{b, c::{self, d}}` as `a::b`, `a::c`, `a::c::d`.
fn expand(base: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let join = |part: &str| if base.is_empty() { part.to_owned() } else { format!("{base}::{part}") };
    let Some((head, group)) = tree.split_once('{') else {
        return found.push(if tree == "self" { base.to_owned() } else { join(tree) });
    };
    let head = join(head.trim_end_matches("::"));
    let group = group.trim_end().strip_suffix('}').unwrap();
    let (mut depth, mut start) = (0, 0);
    for (at, character) in group.char_indices().chain([(group.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = group[start..at].trim();
                if !part.is_empty() {
                    expand(&head, part, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Names joined by `::` in code.
fn paths_in(code: &str) -> BTreeSet<&str> {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let words = code.split(|character: char| !is_part(character));
    words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::")).collect()
}

/// Which files import from which.
struct Graph<'a> {
    sources: &'a Sources,
    /// Of each file what it gives on from others, by name.
    given_on: BTreeMap<String, BTreeMap<String, String>>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Graph<'a> {
    fn of(sources: &'a Sources) -> Self {
        let mut graph = Self { sources, given_on: BTreeMap::new(), edges: BTreeMap::new() };
        let parsed: Vec<_> =
            sources.iter().map(|(module, text)| (module, imports_of(&code_of(text)))).collect();
        for (module, (imports, _)) in &parsed {
            let public = imports.iter().filter(|import| import.is_public);
            let given = public.filter_map(|one| Some((one.name.clone(), graph.absolute(module, &one.path)?)));
            let given = given.collect();
            graph.given_on.insert((*module).clone(), given);
        }
        for (module, (imports, code)) in &parsed {
            let paths = paths_in(code);
            let mut used: BTreeSet<String> =
                paths.iter().filter_map(|path| graph.absolute(module, path)).collect();
            for import in imports {
                let Some(path) = graph.absolute(module, &import.path) else { continue };
                // Of a folder what is named of it counts, wherever that is defined.
                let prefix = format!("{}::", import.name);
                let named = paths.iter().filter_map(|path| path.strip_prefix(&prefix));
                let named: Vec<String> = named.map(|name| format!("{path}::{name}")).collect();
                if named.is_empty() || graph.given_on.get(&path).is_none_or(BTreeMap::is_empty) {
                    used.insert(path);
                }
                used.extend(named);
            }
            let targets = used.iter().filter_map(|path| graph.defined_in(path, 0));
            let targets = targets.filter(|target| target != *module).collect();
            graph.edges.insert((*module).clone(), targets);
        }
        graph
    }

    /// A path from the root of the crate; `None` for other crates and for names that are no modules.
    fn absolute(&self, module: &str, path: &str) -> Option<String> {
        let mut base: Vec<&str> = module.split("::").collect();
        let mut parts: Vec<&str> = path.split("::").collect();
        match parts[0] {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                while parts.first() == Some(&"super") {
                    parts.remove(0);
                    base.pop();
                }
                return Some([base, parts].concat().join("::"));
            }
            child => {
                let child = format!("{module}::{child}");
                return self.sources.contains_key(&child).then(|| format!("{module}::{path}"));
            }
        }
        parts.remove(0);
        Some([base, parts].concat().join("::"))
    }

    /// The file that defines what a path names.
    fn defined_in(&self, path: &str, depth: usize) -> Option<String> {
        let parts: Vec<&str> = path.split("::").collect();
        let place =
            (1..=parts.len()).rev().find(|&end| self.sources.contains_key(&parts[..end].join("::")))?;
        let module = parts[..place].join("::");
        let given = parts.get(place).and_then(|name| self.given_on[&module].get(*name));
        match given {
            Some(given) if depth < 9 => {
                self.defined_in(&[&[given.as_str()], &parts[place + 1..]].concat().join("::"), depth + 1)
            }
            _ => Some(module),
        }
    }

    /// Imports from a folder that is not below.
    fn upward(&self) -> Vec<String> {
        let layer = |module: &str| {
            let folder = module.split("::").next().unwrap();
            let place = LAYERS.iter().position(|layer| *layer == folder);
            place.unwrap_or_else(|| panic!("{module} is in no layer"))
        };
        let pairs = self.edges.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
        let upward = pairs.filter(|(from, to)| layer(from) < layer(to));
        upward.map(|(from, to)| format!("{from} imports {to}, which is above it")).collect()
    }

    /// Files that import one another, each circle once.
    fn circles(&self) -> Vec<String> {
        let (mut done, mut found) = (BTreeSet::new(), Vec::new());
        for module in self.edges.keys() {
            self.follow(module, &mut Vec::new(), &mut done, &mut found);
        }
        found
    }

    fn follow<'b>(
        &'b self,
        module: &'b str,
        path: &mut Vec<&'b str>,
        done: &mut BTreeSet<&'b str>,
        found: &mut Vec<String>,
    ) {
        if let Some(start) = path.iter().position(|one| *one == module) {
            return found.push(format!("{} -> {module}", path[start..].join(" -> ")));
        }
        if done.contains(module) {
            return;
        }
        path.push(module);
        for next in &self.edges[module] {
            self.follow(next, path, done, found);
        }
        path.pop();
        done.insert(module);
    }
}

#[test]
fn imports_go_down_and_in_no_circle() {
    let sources = sources();
    let graph = Graph::of(&sources);
    assert!(graph.edges.values().map(BTreeSet::len).sum::<usize>() > 500, "imports were not understood");
    assert_eq!(graph.upward(), Vec::<String>::new());
    assert_eq!(graph.circles(), Vec::<String>::new());
}

/// However an import is written, one that is turned round is found.
#[test]
fn an_import_that_is_turned_round_is_found() {
    for (file, line, upward, circles) in [
        ("base::error", "use crate::upkeep::verify;", true, true),
        ("base::error", "use crate::{base::value, upkeep::{self, verify::verify}};", true, true),
        ("base::value", "fn f() { crate::summary::Accumulator::default(); }", true, true),
        ("fs::platform", "use crate::summary;\nfn f() { summary::Accumulator::default(); }", true, false),
        ("yaml::tree", "use super::document::parse;", false, true),
        ("segment::journal::position", "use super::Journal;", false, true),
    ] {
        let mut sources = sources();
        let text = sources.get_mut(file).unwrap();
        *text = format!("{line}\n{text}");
        let graph = Graph::of(&sources);
        assert_eq!(!graph.upward().is_empty(), upward, "{file}: {line}");
        assert_eq!(!graph.circles().is_empty(), circles, "{file}: {line}");
    }
}

#[test]
fn no_file_is_too_long() {
    let mut files = Vec::new();
    files_below(&root(), &mut files);
    assert!(files.len() > 150);
    let long = |path: &&PathBuf| std::fs::read_to_string(path).unwrap().lines().count() > LONGEST;
    assert_eq!(files.iter().filter(long).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
}

/// Whether code has a word, or words, not as the end of a longer one.
fn holds(code: &str, words: &str) -> bool {
    code.match_indices(words).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        words.starts_with('.') || !before.is_some_and(|one| one.is_alphanumeric() || one == '_')
    })
}

#[test]
fn only_the_lowest_layers_access_files() {
    let mut files = Vec::new();
    files_below(&root().join("core/src"), &mut files);
    files_below(&root().join("py/src"), &mut files);
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !path.starts_with(root().join("core/src/fs"))) {
        let code = code_of(&std::fs::read_to_string(path).unwrap());
        let accesses = FILE_ACCESS.into_iter().filter(|access| holds(&code, access));
        found.extend(accesses.map(|access| format!("{}: {access}", path.display())));
    }
    assert_eq!(found, Vec::<String>::new());
}
