//! Rankings against sorting everything.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use common::Rng;
use n4w_core::summary::topk::{Ranked, TEXTS, TopK};
use proptest::prelude::*;

type Key = (i8, u8, Option<u8>);

/// Few different goodnesses and ids, so that there are ties of every depth.
fn ranked((goodness, id, model): Key) -> Ranked {
    let (id, model) = (format!("id{id}"), model.map(|model| format!("model{model}")));
    let mut texts = [None; TEXTS.len()];
    texts[0] = Some(&*id);
    texts[3] = model.as_deref();
    Ranked::new(f64::from(goodness), [Some(f64::from(goodness)), None, Some(f64::NAN)], texts.into_iter())
}

fn keys() -> impl Strategy<Value = Vec<Key>> {
    prop::collection::vec((-3i8..3, 0u8..4, prop::option::of(0u8..3)), 0..80)
}

fn offered(k: usize, keys: &[Key]) -> TopK {
    let mut top = TopK::new(k);
    for &key in keys {
        let ranked = ranked(key);
        if top.admits(f64::from(key.0)) {
            top.offer(ranked);
        }
    }
    top
}

proptest! {
    #![proptest_config(common::cases(512))]

    #[test]
    fn the_best_of_a_sort(keys in keys(), k in 0usize..40) {
        let mut sorted: Vec<Ranked> = keys.iter().copied().map(ranked).collect();
        sorted.sort();
        sorted.truncate(k);
        let top = offered(k, &keys);
        prop_assert_eq!(top.sorted(), sorted.iter().collect::<Vec<_>>());
        let keys: Vec<_> = sorted.iter().map(|best| (-best.scores()[0].unwrap(), best.texts()[0].unwrap())).collect();
        prop_assert!(keys.is_sorted());
    }

    #[test]
    fn any_order_and_split(keys in keys(), k in 0usize..40, seed: u64) {
        let whole = offered(k, &keys);
        let mut rng = Rng(seed);
        let mut shuffled = keys;
        rng.shuffle(&mut shuffled);
        let cut = rng.below(shuffled.len() + 1);
        let mut merged = offered(k, &shuffled[cut..]);
        merged.merge(&offered(k, &shuffled[..cut]));
        prop_assert_eq!(merged.sorted(), whole.sorted());
    }

    #[test]
    fn texts_come_back(texts in prop::collection::vec(prop::option::of(".{0,20}"), TEXTS.len())) {
        let ranked = Ranked::new(1.0, [None; 3], texts.iter().map(Option::as_deref));
        prop_assert_eq!(ranked.texts().to_vec(), texts.iter().map(Option::as_deref).collect::<Vec<_>>());
    }
}

#[test]
fn a_missing_id_comes_first_among_equals() {
    let with = |id| {
        Ranked::new(1.0, [Some(1.0), None, None], [id, None, None, None, None, None, None, None].into_iter())
    };
    let mut top = TopK::new(3);
    [Some("b"), None, Some("a")].into_iter().for_each(|id| top.offer(with(id)));
    assert_eq!(
        top.sorted().iter().map(|ranked| ranked.texts()[0]).collect::<Vec<_>>(),
        [None, Some("a"), Some("b")]
    );
}

#[test]
fn cleared_it_is_empty() {
    let mut top = offered(4, &[(1, 1, None), (2, 2, None)]);
    top.clear();
    assert!(top.sorted().is_empty() && top.admits(f64::NEG_INFINITY));
    assert_eq!(top.k(), 4);
}
