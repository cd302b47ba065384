//! Answers as strict JSON.

#![allow(clippy::unwrap_used, missing_docs)]

use crate::common;

use n4w_core::base::value::Value;
use proptest::prelude::*;
use serde_json::json;

fn parsed(value: &Value) -> serde_json::Value {
    let text = value.to_json();
    assert!(text.is_ascii(), "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_kind() {
    let value = Value::map([
        ("null", Value::Null),
        ("truth", true.into()),
        ("count", u64::MAX.into()),
        ("nan", f64::NAN.into()),
        ("infinities", [f64::INFINITY, f64::NEG_INFINITY].into_iter().collect()),
        ("text", "a \"b\" \\ \n \u{0} \u{7f} é 🌾".into()),
        ("empty", Value::map([])),
        ("none", Option::<f64>::None.into()),
    ]);
    let expected = json!({
        "null": null, "truth": true, "count": u64::MAX, "nan": "NaN", "infinities": ["Infinity", "-Infinity"],
        "text": "a \"b\" \\ \n \u{0} \u{7f} é 🌾", "empty": {}, "none": null,
    });
    assert_eq!(parsed(&value), expected);
    assert_eq!(value.get("truth"), Some(&Value::Bool(true)));
    assert_eq!((value.get("absent"), Value::Null.get("truth")), (None, None));
}

proptest! {
    #![proptest_config(common::cases(512))]

    #[test]
    fn texts_come_back(text in any::<String>()) {
        prop_assert_eq!(parsed(&Value::Text(text.clone())), json!(text));
    }

    #[test]
    fn numbers_come_back_to_the_last_bit(bits: u64) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let text = Value::Float(number).to_json();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap().is_number());
    }
}
