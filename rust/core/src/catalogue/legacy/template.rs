//! The template that configurations were expanded from, as far as they tell.

use crate::yaml::tree::Tree;

/// A configuration: its steps, and what generators chose for it.
type Config<'a> = (&'a Tree, &'a [Tree]);

/// Whether these differ in nothing but what generators chose.
pub fn is_of_one(configs: &[(&Tree, &Vec<Tree>); 2]) -> bool {
    let [(one, chosen), (other, other_chosen)] = *configs;
    differ_by_choice(one, other, chosen, other_chosen)
}

fn differ_by_choice(one: &Tree, other: &Tree, chosen: &[Tree], other_chosen: &[Tree]) -> bool {
    if one == other || holds(chosen, one) && holds(other_chosen, other) {
        return true;
    }
    match (one, other) {
        (Tree::Map(one), Tree::Map(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|((key, one), (other_key, other))| {
                    key == other_key && differ_by_choice(one, other, chosen, other_chosen)
                })
        }
        (Tree::List(one), Tree::List(other)) if one.len() == other.len() => {
            one.iter().zip(other).all(|(one, other)| differ_by_choice(one, other, chosen, other_chosen))
        }
        (Tree::List(one), Tree::List(other)) => {
            let (start, end) = common(&[one, other]);
            one[start..one.len() - end].iter().all(|item| holds(chosen, item))
                && other[start..other.len() - end].iter().all(|item| holds(other_chosen, item))
        }
        _ => false,
    }
}

/// Whether a tree is among the choices, or a part of one.
fn holds(choices: &[Tree], wanted: &Tree) -> bool {
    fn is_in(tree: &Tree, wanted: &Tree) -> bool {
        tree == wanted
            || match tree {
                Tree::List(items) => items.iter().any(|item| is_in(item, wanted)),
                Tree::Map(entries) => entries.iter().any(|(_, value)| is_in(value, wanted)),
                _ => false,
            }
    }
    // A choice is a mapping of the generator's keyword to what it chose.
    let chosen = |choice: &Tree| match choice {
        Tree::Map(entries) => entries.iter().any(|(_, value)| is_in(value, wanted)),
        other => is_in(other, wanted),
    };
    choices.iter().any(chosen)
}

/// How many items all lists have in common at their start, and at their end.
fn common(lists: &[&Vec<Tree>]) -> (usize, usize) {
    let Some((first, others)) = lists.split_first() else { return (0, 0) };
    let shortest = lists.iter().map(|list| list.len()).min().unwrap_or_default();
    let start = (0..shortest).take_while(|&at| others.iter().all(|other| other[at] == first[at])).count();
    let is_common =
        |at: usize| others.iter().all(|other| other.iter().rev().nth(at) == first.iter().rev().nth(at));
    let end = (0..shortest - start).take_while(|&at| is_common(at)).count();
    (start, end)
}

/// The template of these configurations: where they differ, a generator `_or_` of all values in order.
pub fn of(configs: &[Config<'_>]) -> Tree {
    let Some(((first, _), others)) = configs.split_first() else { return Tree::List(Vec::new()) };
    if others.iter().all(|(steps, _)| steps == first) {
        return (*first).clone();
    }
    if configs.iter().all(|(steps, choices)| holds(choices, steps)) {
        return alternatives(configs.iter().map(|(steps, _)| (*steps).clone()));
    }
    let maps: Option<Vec<_>> = configs.iter().map(|(steps, _)| entries(steps)).collect();
    if let Some(maps) = maps {
        let keys = |map: &[(Tree, Tree)]| map.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        if maps.iter().all(|map| keys(map) == keys(maps[0])) {
            let value = |at: usize| {
                let parts: Vec<_> =
                    maps.iter().zip(configs).map(|(map, (_, choices))| (&map[at].1, *choices)).collect();
                of(&parts)
            };
            return Tree::Map(
                keys(maps[0]).into_iter().enumerate().map(|(at, key)| (key, value(at))).collect(),
            );
        }
    }
    let lists: Option<Vec<_>> = configs.iter().map(|(steps, _)| list(steps)).collect();
    if let Some(lists) = lists {
        if lists.iter().all(|list| list.len() == lists[0].len()) {
            let item = |at: usize| {
                let parts: Vec<_> =
                    lists.iter().zip(configs).map(|(list, (_, choices))| (&list[at], *choices)).collect();
                of(&parts)
            };
            return (0..lists[0].len()).map(item).collect();
        }
        let (start, end) = common(&lists);
        let middle = alternatives(lists.iter().map(|list| match &list[start..list.len() - end] {
            [one] => one.clone(),
            items => items.iter().cloned().collect(),
        }));
        let first = lists[0];
        let (before, after) = (first[..start].iter(), first[first.len() - end..].iter());
        return before.cloned().chain([middle]).chain(after.cloned()).collect();
    }
    alternatives(configs.iter().map(|(steps, _)| (*steps).clone()))
}

fn entries(tree: &Tree) -> Option<&[(Tree, Tree)]> {
    if let Tree::Map(entries) = tree { Some(entries) } else { None }
}

fn list(tree: &Tree) -> Option<&Vec<Tree>> {
    if let Tree::List(items) = tree { Some(items) } else { None }
}

fn alternatives(values: impl Iterator<Item = Tree>) -> Tree {
    let mut kept = Vec::new();
    values.for_each(|value| {
        if !kept.contains(&value) {
            kept.push(value);
        }
    });
    Tree::map([("_or_", Tree::List(kept))])
}
