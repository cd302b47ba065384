//! What several tests share: random prediction rows, Parquet files in memory, comparison of answers.

#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, TimestampMicrosecondArray,
};
use n4w_core::base::value::Value;
use n4w_core::summary::{Accumulator, Row, add_batches};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::test_runner::Config as ProptestConfig;

/// So many cases; failures are not written beside the sources.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014): small, and the same everywhere.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }

    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for index in (1..values.len()).rev() {
            values.swap(index, self.below(index + 1));
        }
    }
}

/// One prediction row that owns its texts.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    pub scores: [Option<f64>; 3],
    /// id, run, dataset, model, config, fold, partition, preprocessings.
    pub texts: [Option<String>; 8],
    pub metric: Option<String>,
    pub task_type: Option<String>,
    pub branch_id: Option<String>,
    pub branch_name: Option<String>,
    pub created_at: Option<i64>,
}

impl Prediction {
    pub fn row(&self) -> Row<'_> {
        Row {
            scores: self.scores,
            texts: self.texts.each_ref().map(Option::as_deref),
            metric: self.metric.as_deref(),
            task_type: self.task_type.as_deref(),
            branch_id: self.branch_id.as_deref(),
            branch_name: self.branch_name.as_deref(),
            created_at: self.created_at,
        }
    }
}

fn score(rng: &mut Rng) -> Option<f64> {
    match rng.below(20) {
        0 => None,
        1 => Some(f64::NAN),
        2 => Some(if rng.below(2) == 0 { f64::INFINITY } else { f64::NEG_INFINITY }),
        // Few different ones, so that rankings have ties.
        3..=7 => Some([-1.0, -0.0, 0.0, 0.5, 1.0][rng.below(5)]),
        _ => Some(rng.unit() * 4.0 - 2.0),
    }
}

/// Random rows with every kind of gap; `metrics` as in the column, `None` for null.
pub fn predictions(seed: u64, count: usize, metrics: &[Option<&str>]) -> Vec<Prediction> {
    let mut rng = Rng(seed);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    (0..count)
        .map(|index| {
            let texts = [
                Some(format!("id{:06}", if rng.below(10) == 0 { rng.below(20) } else { index })),
                rng.pick(&[None, Some("2026-01-02_First_0123456789ab"), Some("second")]).map(str::to_owned),
                Some("wheat".to_owned()),
                (rng.below(12) > 0).then(|| format!("Modèle{}", rng.below(7))),
                (rng.below(12) > 0).then(|| format!("config{}", rng.below(40))),
                owned(*rng.pick(&[Some("0"), Some("1"), Some("avg"), None])),
                owned(*rng.pick(&[Some("train"), Some("val"), Some("test"), None])),
                owned(*rng.pick(&[Some("SNV|Detrend"), Some("MSC"), Some(""), None])),
            ];
            Prediction {
                scores: [score(&mut rng), score(&mut rng), score(&mut rng)],
                texts,
                metric: owned(*rng.pick(metrics)),
                task_type: owned(*rng.pick(&[Some("regression"), Some("classification"), None])),
                branch_id: rng.pick(&[None, Some("0"), Some("1")]).map(str::to_owned),
                branch_name: owned(*rng.pick(&[None, Some(""), Some("left")])),
                created_at: (rng.below(5) > 0)
                    .then(|| 1_700_000_000_000_000 + rng.below(1_000_000_000) as i64),
            }
        })
        .collect()
}

/// The metrics that rows are drawn from where all kinds matter: known, unknown, empty, missing.
pub const METRICS: [Option<&str>; 6] =
    [Some("rmse"), Some("r2"), Some("bias"), Some("made_up"), Some(""), None];

pub fn added(rows: &[Prediction]) -> Accumulator {
    let mut accumulator = Accumulator::default();
    rows.iter().for_each(|row| accumulator.add(&row.row()));
    accumulator
}

/// How the names of a batch are stored.
#[derive(Clone, Copy, Debug)]
pub enum Encoding {
    Utf8,
    Large,
    View,
    Dictionary,
}

pub const ENCODINGS: [Encoding; 4] = [Encoding::Utf8, Encoding::Large, Encoding::View, Encoding::Dictionary];

pub fn text_array<'a>(texts: impl Iterator<Item = Option<&'a str>>, encoding: Encoding) -> ArrayRef {
    match encoding {
        Encoding::Utf8 => Arc::new(texts.collect::<StringArray>()),
        Encoding::Large => Arc::new(texts.collect::<LargeStringArray>()),
        Encoding::View => Arc::new(texts.collect::<StringViewArray>()),
        Encoding::Dictionary => Arc::new(texts.collect::<DictionaryArray<Int32Type>>()),
    }
}

pub fn batch(rows: &[Prediction], encoding: Encoding) -> RecordBatch {
    let scores = n4w_core::types::columns::SCORES.into_iter().enumerate().map(|(at, name)| {
        (name, Arc::new(rows.iter().map(|row| row.scores[at]).collect::<Float64Array>()) as ArrayRef)
    });
    let texts = n4w_core::summary::topk::TEXTS
        .into_iter()
        .enumerate()
        .map(|(at, name)| (name, text_array(rows.iter().map(|row| row.texts[at].as_deref()), encoding)));
    let branches: Int64Array =
        rows.iter().map(|row| row.branch_id.as_ref().map(|id| id.parse::<i64>().unwrap())).collect();
    let times: TimestampMicrosecondArray = rows.iter().map(|row| row.created_at).collect();
    let rest: [(&str, ArrayRef); 5] = [
        ("metric", text_array(rows.iter().map(|row| row.metric.as_deref()), encoding)),
        ("task_type", text_array(rows.iter().map(|row| row.task_type.as_deref()), encoding)),
        ("branch_id", Arc::new(branches)),
        ("branch_name", text_array(rows.iter().map(|row| row.branch_name.as_deref()), encoding)),
        ("created_at", Arc::new(times.with_timezone("+00:00"))),
    ];
    let columns = scores.chain(texts).chain(rest).map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

pub fn batched(rows: &[Prediction], size: usize, encoding: Encoding) -> Accumulator {
    let batches: Vec<RecordBatch> = rows.chunks(size).map(|rows| batch(rows, encoding)).collect();
    let mut accumulator = Accumulator::default();
    add_batches(&mut accumulator, &batches).unwrap();
    accumulator
}

/// A Parquet file in memory.
pub fn parquet(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

pub fn parquet_of(rows: &[Prediction]) -> Vec<u8> {
    parquet(&batch(rows, Encoding::Utf8), WriterProperties::default())
}

/// The footer's bytes of a file.
pub fn footer_of(file: &[u8]) -> &[u8] {
    let (rest, _) = file.split_last_chunk::<4>().unwrap();
    let (rest, length) = rest.split_last_chunk::<4>().unwrap();
    &rest[rest.len() - u32::from_le_bytes(*length) as usize..]
}

/// Whether two answers are the same but for the rounding of floats.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Shared(a), b) | (b, Value::Shared(a)) => same(a, b),
        (Value::Float(a), Value::Float(b)) => {
            a.to_bits() == b.to_bits() || (a - b).abs() <= 1e-10 * a.abs().max(b.abs()) + 1e-14
        }
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same(&a.1, &b.1))
        }
        _ => a == b,
    }
}

#[track_caller]
pub fn assert_same(a: &Accumulator, b: &Accumulator) {
    let [a, b] = [a, b].map(|accumulator| n4w_core::summary::report::summary(accumulator, None, "now"));
    assert!(same(&a, &b), "{}\n{}", a.to_json(), b.to_json());
}
