//! The one table of metrics: the single source for every ranking.

use std::collections::BTreeMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use super::error::{Error, ErrorKind, Result};

/// Which scores are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Larger is better.
    Maximize,
    /// Smaller is better.
    Minimize,
    /// Closer to zero is better, by magnitude.
    Zero,
    /// Not known: such scores are stored and counted, never ranked.
    Unknown,
}

impl Direction {
    /// The name that files and answers carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maximize => "maximize",
            Self::Minimize => "minimize",
            Self::Zero => "zero",
            Self::Unknown => "unknown",
        }
    }

    /// The direction of that name, unless it is none that ranks.
    pub fn ranking(name: &str) -> Result<Self> {
        match name {
            "maximize" => Ok(Self::Maximize),
            "minimize" => Ok(Self::Minimize),
            "zero" => Ok(Self::Zero),
            _ => Err(Error::new(
                ErrorKind::Argument,
                format!("direction is {name:?}; it must be 'maximize', 'minimize' or 'zero'"),
            )),
        }
    }

    /// A key that is larger for a better score and equal for equally good ones.
    ///
    /// `None` for NaN, which never ranks, and where the direction is unknown.
    pub fn goodness(self, score: f64) -> Option<f64> {
        if score.is_nan() {
            return None;
        }
        // Adding 0.0 makes -0.0 equal to 0.0.
        match self {
            Self::Maximize => Some(score + 0.0),
            Self::Minimize => Some(-score + 0.0),
            Self::Zero => Some(-score.abs() + 0.0),
            Self::Unknown => None,
        }
    }
}

/// How the scores of folds become one score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The root of the mean square, by samples: that of the errors of all held-out samples.
    RootMeanSquare,
    /// The mean, by samples.
    WeightedMean,
    /// The mean magnitude, by samples: errors of either sign do not cancel.
    Magnitude,
    /// The plain mean.
    Mean,
}

impl Pooling {
    /// The name that answers carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::RootMeanSquare => "root_mean_square",
            Self::WeightedMean => "weighted_mean",
            Self::Magnitude => "magnitude",
            Self::Mean => "mean",
        }
    }

    fn of(metric: &str) -> Self {
        match metric {
            "rmse" | "rmsecv" | "rmsec" | "rmsep" => Self::RootMeanSquare,
            "mse" | "mae" | "accuracy" => Self::WeightedMean,
            "bias" => Self::Magnitude,
            _ => Self::Mean,
        }
    }
}

/// What the table says of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The name it is listed under.
    pub name: String,
    /// Other names of the same metric.
    pub aliases: Vec<String>,
    /// Which scores are better.
    pub direction: Direction,
    /// The best score there can be.
    pub optimum: Option<f64>,
    /// The scores there can be, infinite where they have no bound.
    pub range: (f64, f64),
    /// How the scores of folds become one.
    pub pooling: Pooling,
}

const INF: f64 = f64::INFINITY;

type Row = (&'static str, &'static [&'static str], (f64, f64));

/// Larger is better; the optimum is the upper bound where that is finite.
const MAXIMIZE: &[Row] = &[
    ("r2", &["r2_score", "r²"], (-INF, 1.0)),
    ("q2", &["q²"], (-INF, 1.0)), // as r2, of samples that were held out
    ("rer", &[], (0.0, INF)),
    ("ccc", &[], (-1.0, 1.0)),
    ("rpd", &[], (0.0, INF)),
    ("rpiq", &[], (0.0, INF)),
    ("explained_variance", &["explained_variance_score"], (-INF, 1.0)),
    ("pearson_r", &[], (-1.0, 1.0)),
    ("spearman_r", &[], (-1.0, 1.0)),
    ("consistency", &[], (-INF, 1.0)), // 1 - RMSE / std
    ("accuracy", &["accuracy_score"], (0.0, 1.0)),
    ("balanced_accuracy", &["balanced_accuracy_score"], (0.0, 1.0)),
    ("precision", &["precision_score"], (0.0, 1.0)),
    ("balanced_precision", &[], (0.0, 1.0)),
    ("precision_micro", &[], (0.0, 1.0)),
    ("precision_macro", &[], (0.0, 1.0)),
    ("recall", &["recall_score", "sensitivity"], (0.0, 1.0)),
    ("balanced_recall", &[], (0.0, 1.0)),
    ("recall_micro", &[], (0.0, 1.0)),
    ("recall_macro", &[], (0.0, 1.0)),
    ("f1", &["f1_score"], (0.0, 1.0)),
    ("balanced_f1", &[], (0.0, 1.0)),
    ("f1_micro", &[], (0.0, 1.0)),
    ("f1_macro", &[], (0.0, 1.0)),
    ("specificity", &[], (0.0, 1.0)),
    ("roc_auc", &["auc", "roc_auc_score"], (0.0, 1.0)),
    ("kappa", &["cohen_kappa", "cohen_kappa_score"], (-1.0, 1.0)),
    ("mcc", &["matthews_corrcoef"], (-1.0, 1.0)),
    ("jaccard", &["jaccard_score"], (0.0, 1.0)),
    ("average_precision", &["average_precision_score"], (0.0, 1.0)),
];

/// Smaller is better; the optimum is 0.
const MINIMIZE: &[Row] = &[
    ("mse", &["mean_squared_error"], (0.0, INF)),
    ("rmse", &["root_mean_squared_error"], (0.0, INF)),
    ("rmsecv", &["rmse_cv"], (0.0, INF)),
    ("rmsec", &[], (0.0, INF)),
    ("rmsep", &[], (0.0, INF)),
    ("mae", &["mean_absolute_error"], (0.0, INF)),
    ("mape", &["mean_absolute_percentage_error"], (0.0, INF)),
    ("median_ae", &["median_absolute_error"], (0.0, INF)),
    ("max_error", &[], (0.0, INF)),
    ("sep", &[], (0.0, INF)),
    ("sec", &[], (0.0, INF)),
    ("secv", &[], (0.0, INF)),
    ("msle", &["mean_squared_log_error"], (0.0, INF)),
    ("rmsle", &["root_mean_squared_log_error"], (0.0, INF)),
    ("mean_poisson_deviance", &[], (0.0, INF)),
    ("mean_gamma_deviance", &[], (0.0, INF)),
    ("negative_likelihood_ratio", &[], (0.0, INF)),
    ("nrmse", &[], (0.0, INF)),
    ("nmse", &[], (0.0, INF)),
    ("nmae", &[], (0.0, INF)),
    ("log_loss", &["logloss"], (0.0, INF)),
    ("loss", &[], (0.0, INF)),
    ("hinge", &["hinge_loss"], (0.0, INF)),
    ("brier_score", &["brier_score_loss"], (0.0, 1.0)),
    ("hamming_loss", &[], (0.0, 1.0)),
];

/// Closer to zero is better.
const ZERO: &[Row] = &[("bias", &["mbe"], (-INF, INF))];

static TABLE: LazyLock<RwLock<BTreeMap<String, Metric>>> = LazyLock::new(|| RwLock::new(built_in()));

fn built_in() -> BTreeMap<String, Metric> {
    let mut table = BTreeMap::new();
    for (rows, direction) in
        [(MAXIMIZE, Direction::Maximize), (MINIMIZE, Direction::Minimize), (ZERO, Direction::Zero)]
    {
        for &(name, aliases, range) in rows {
            let optimum = match direction {
                Direction::Maximize => Some(range.1).filter(|best| best.is_finite()),
                _ => Some(0.0),
            };
            let metric = Metric {
                name: name.to_owned(),
                aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
                direction,
                optimum,
                range,
                pooling: Pooling::of(name),
            };
            for alias in aliases {
                table.insert((*alias).to_owned(), metric.clone());
            }
            table.insert(name.to_owned(), metric);
        }
    }
    table
}

/// The metric of that name or alias, in any case of letters; `None` where the table has none.
pub fn find(name: &str) -> Option<Metric> {
    find_in(&TABLE.read().unwrap_or_else(PoisonError::into_inner), name)
}

fn find_in(table: &BTreeMap<String, Metric>, name: &str) -> Option<Metric> {
    if let Some(metric) = table.get(name) {
        return Some(metric.clone());
    }
    let name = name.to_lowercase();
    table.get(&name).cloned().or_else(|| table.get(name.strip_prefix(NEGATED)?)?.negated())
}

/// What scikit-learn calls a metric of which smaller is better, with the other sign.
const NEGATED: &str = "neg_";

impl Metric {
    /// The score with the other sign, which is better where it is larger.
    fn negated(&self) -> Option<Self> {
        let named = |name: &String| format!("{NEGATED}{name}");
        (self.direction == Direction::Minimize).then(|| Self {
            name: named(&self.name),
            aliases: self.aliases.iter().map(named).collect(),
            direction: Direction::Maximize,
            // Adding 0.0 makes -0.0 equal to 0.0.
            optimum: self.optimum.map(|best| -best + 0.0),
            range: (-self.range.1 + 0.0, -self.range.0 + 0.0),
            pooling: self.pooling,
        })
    }
}

/// Which scores of a metric are better; [`Direction::Unknown`] where the table has none.
pub fn direction(name: &str) -> Direction {
    find(name).map_or(Direction::Unknown, |metric| metric.direction)
}

/// How the scores of a metric's folds become one; the plain mean where the table has none.
pub fn pooling(name: &str) -> Pooling {
    find(name).map_or(Pooling::Mean, |metric| metric.pooling)
}

/// Whether this process alone knows the metric, because it was registered.
pub fn is_registered(name: &str) -> bool {
    find(name).is_some_and(|metric| {
        let is_of = |row: &Row| row.0 == metric.name || Some(row.0) == metric.name.strip_prefix(NEGATED);
        ![MAXIMIZE, MINIMIZE, ZERO].iter().any(|rows| rows.iter().any(is_of))
    })
}

/// All metrics, by name, without their aliases.
pub fn all() -> Vec<Metric> {
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    table
        .iter()
        .filter(|(key, metric)| **key == metric.name.to_lowercase())
        .map(|(_, metric)| metric.clone())
        .collect()
}

/// Adds a metric for this process.
///
/// A name or alias that the table has with another direction is an [`ErrorKind::Argument`]: a
/// ranking must not change under those who rely on it.
pub fn register(metric: &Metric) -> Result<()> {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let names = || std::iter::once(&metric.name).chain(&metric.aliases);
    for name in names() {
        if name.is_empty() {
            return Err(Error::new(ErrorKind::Argument, "a metric needs a name"));
        }
        if let Some(known) = find_in(&table, name).filter(|known| known.direction != metric.direction) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "metric {name:?} is known with direction '{}' and cannot become '{}'; choose another name",
                    known.direction.name(),
                    metric.direction.name()
                ),
            ));
        }
    }
    for name in names() {
        table.entry(name.to_lowercase()).or_insert_with(|| metric.clone());
    }
    Ok(())
}

/// The error for a metric that the table does not have.
pub fn unknown(name: &str) -> Error {
    Error::new(
        ErrorKind::Metric,
        format!(
            "no direction is known for metric {name:?}; give a direction, 'maximize', 'minimize' or 'zero', or \
             call register_metric({name:?}, direction) first"
        ),
    )
}
