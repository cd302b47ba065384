//! What the rows of some files say, as the content of an entry.

use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::Result;
use crate::base::value::{Key, Value};
use crate::catalogue::entry::{Entry, Kind};
use crate::summary::{Accumulator, Datasets, report};
use crate::yaml::tree::Tree;

/// What some files say: their configurations, each with dataset and [`by_metric`], and behind that their results.
pub(crate) fn entry(configurations: Vec<Tree>, results: Vec<Tree>) -> Entry {
    let mut writer = ByteWriter::default();
    Tree::List(configurations).encode(&mut writer);
    Tree::List(results).encode(&mut writer);
    let entry = Entry::new(Kind::Part, "", Tree::Null);
    Entry { content: writer.bytes.into(), ..entry }
}

/// The configurations of such an entry.
pub(crate) fn configurations(entry: &Entry) -> Result<Tree> {
    Tree::decode(&mut ByteReader::new(&entry.content))
}

/// Its results.
pub(crate) fn results(entry: &Entry) -> Result<Tree> {
    let mut reader = ByteReader::new(&entry.content);
    Tree::decode(&mut reader)?;
    Tree::decode(&mut reader)
}

/// Of each metric the rows, and the best of the validation scores.
pub fn by_metric(rows: Accumulator) -> Tree {
    let Value::Map(datasets) = report::configurations(&Datasets::from([(String::new(), rows)])) else {
        return Tree::Null;
    };
    let metrics = datasets
        .into_iter()
        .filter_map(|(_, metrics)| if let Value::Map(metrics) = metrics { Some(metrics) } else { None });
    let of_metric = |(metric, configs): (Key, Value)| {
        let Value::List(configs) = configs else { return (metric.as_ref().into(), Tree::Null) };
        let count = |config: &Value| match config.get("n_predictions") {
            Some(Value::Int(count)) => *count as i64,
            _ => 0,
        };
        // Rows of one configuration: there is one, or none where rows name runs.
        let best = configs.iter().find_map(|config| match config.get("best_val_score") {
            Some(Value::Float(best)) => Some(Tree::Float(*best)),
            _ => None,
        });
        let said = Tree::List(vec![Tree::Int(configs.iter().map(count).sum()), best.into()]);
        (Tree::from(metric.as_ref()), said)
    };
    Tree::Map(metrics.flatten().map(of_metric).collect())
}
