//! Where calls begin in a row of manifests, as far as logs tell: each call opened a log before its first one.

use super::logs::Log;

const SECOND: i64 = 1_000_000;
/// Zones that are there, in minutes ahead of UTC.
const ZONES: [i64; 39] = [
    0, 60, 120, -60, -120, 180, -180, 240, -240, 300, -300, 330, 360, -360, 420, -420, 480, -480, 540, -540,
    600, -600, 660, -660, 720, -720, 780, 840, 210, 270, 345, 390, 525, 570, 630, 765, -150, -210, -570,
];
/// What it is worth that a log stands right before a manifest, and how long before half of that is left, µs:
/// data are read in between.
const NEAR: i64 = 1_000_000;
const HALF: i64 = 20 * SECOND;

/// What a manifest shows of where calls begin.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// When it was made, µs since 1970, not before the one before it.
    pub time: i64,
    /// Name with hash.
    pub name: &'a str,
    pub dataset: &'a str,
    /// No call that made the one before it can have made it.
    pub begins: bool,
    /// It is the next choice of the generators that the one before it came from.
    pub goes_on: bool,
}

/// A log before a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The log, by its place.
    pub log: usize,
    /// Before which manifest its call began; their number where it left none.
    pub before: usize,
    /// The call began before this, µs since 1970.
    pub until: i64,
}

/// Finds for each log the place where its call begins, in order.
///
/// The name of a log has whole seconds: of manifests of that second some may be older. There the places win
/// where a call must begin, then those by which no call is left without a manifest.
pub fn place(logs: &[Log], steps: &[Step<'_>]) -> Vec<Start> {
    let offsets = offsets(logs, steps);
    let opened =
        logs.iter().zip(&offsets).enumerate().map(|(log, (it, offset))| (opened_at(it, *offset), log));
    best(opened.collect(), logs, steps).1
}

/// What a call without a manifest costs.
const EMPTY: i64 = -NEAR / 100;

/// The best places of logs that were opened at these times, and what they are worth.
fn best(mut opened: Vec<(i64, usize)>, logs: &[Log], steps: &[Step<'_>]) -> (i64, Vec<Start>) {
    opened.sort_unstable();
    // Of each log, the places that it can have: place, worth so far, and the entry of the log before.
    let mut tables: Vec<Vec<(usize, i64, usize)>> = Vec::with_capacity(opened.len());
    for (at, log) in &opened {
        let low = steps.partition_point(|step| step.time < *at);
        let high = steps.partition_point(|step| step.time < at.saturating_add(SECOND)).max(low);
        let before = tables.last();
        let table = (low..=high).filter_map(|gap| {
            let own = worth(&logs[*log], *at, steps.get(gap));
            let Some(before) = before else { return Some((gap, own, 0)) };
            let reached = before.iter().enumerate().filter(|(_, (earlier, ..))| *earlier <= gap);
            let totals = reached
                .map(|(entry, (earlier, sum, _))| (sum + if *earlier == gap { EMPTY } else { own }, entry));
            totals.max_by_key(|(total, _)| *total).map(|(total, entry)| (gap, total, entry))
        });
        tables.push(table.collect());
    }
    let ends = tables.last().map(Vec::as_slice).unwrap_or_default();
    let Some((mut entry, (_, total, _))) = ends.iter().enumerate().max_by_key(|(_, entry)| entry.1) else {
        return (0, Vec::new());
    };
    let mut starts = Vec::with_capacity(opened.len());
    for ((at, log), table) in opened.iter().zip(&tables).rev() {
        let Some(&(before, _, from)) = table.get(entry) else { break };
        starts.push(Start { log: *log, before, until: at + SECOND });
        entry = from;
    }
    starts.reverse();
    (*total, starts)
}

/// What it is worth that a call begins there.
fn worth(log: &Log, at: i64, step: Option<&Step<'_>>) -> i64 {
    let Some(step) = step else { return EMPTY };
    let by_rule = match step {
        Step { begins: true, .. } => 3,
        Step { goes_on: true, .. } => -1,
        _ => 1,
    };
    let is_of = |(name, dataset): &(String, String)| name == step.name && dataset == step.dataset;
    let by_name = match log.begun.first() {
        None => 0,
        Some(first) if is_of(first) => 20 * NEAR,
        Some(_) => -20 * NEAR,
    };
    let delay = step.time.saturating_sub(at).max(0);
    let nearness = NEAR as f64 * HALF as f64 / (HALF as f64 + delay as f64);
    by_rule * nearness as i64 + by_name
}

/// In µs since 1970.
fn opened_at(log: &Log, offset: i64) -> i64 {
    (log.local - offset) * SECOND
}

/// By how many seconds each log's time is ahead of UTC.
///
/// Where logs do not say it, that zone is taken in which calls begin soonest after their logs; of the logs of
/// one day by themselves where these tell another one, as in summer.
fn offsets(logs: &[Log], steps: &[Step<'_>]) -> Vec<i64> {
    let unknown: Vec<usize> = (0..logs.len()).filter(|log| logs[*log].offset.is_none()).collect();
    let fit = |some: &[usize], offset| {
        best(some.iter().map(|log| (opened_at(&logs[*log], offset), *log)).collect(), logs, steps).0
    };
    let best_of = |some: &[usize], first: i64| {
        let mut found = (fit(some, first), first);
        for offset in ZONES.map(|zone| zone * 60) {
            let fit = fit(some, offset);
            if fit > found.0 {
                found = (fit, offset);
            }
        }
        found
    };
    let said = logs.iter().find_map(|log| log.offset).unwrap_or(0);
    let mut offset = if unknown.is_empty() { said } else { best_of(&unknown, said).1 };
    let mut offsets: Vec<i64> = logs.iter().map(|log| log.offset.unwrap_or(offset)).collect();
    let day = |log: usize| logs[log].local.div_euclid(86_400);
    for of_day in unknown.chunk_by(|one, other| day(*one) == day(*other)) {
        let (of_another, another) = best_of(of_day, offset);
        // Less than half of what a call is worth that begins after its log is chance.
        if of_another > fit(of_day, offset) + NEAR / 2 {
            offset = another;
        }
        for log in of_day {
            offsets[*log] = offset;
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::{Log, SECOND, Start, Step, offsets, place};

    fn log(local: i64) -> Log {
        Log { local, offset: None, begun: Vec::new(), is_broken: false }
    }

    fn step(tenths: i64, kind: &str) -> Step<'static> {
        let (begins, goes_on) = (kind == "begins", kind == "goes on");
        Step { time: tenths * SECOND / 10, name: "n_000000", dataset: "d", begins, goes_on }
    }

    fn places(logs: &[i64], steps: &[(i64, &str)]) -> Vec<usize> {
        let logs: Vec<Log> = logs.iter().map(|local| log(*local)).collect();
        let steps: Vec<_> = steps.iter().map(|(time, kind)| step(*time, kind)).collect();
        place(&logs, &steps).into_iter().map(|Start { before, .. }| before).collect()
    }

    #[test]
    fn a_log_stands_before_the_next_manifest() {
        assert_eq!(places(&[1, 5], &[(12, "begins"), (20, ""), (55, "")]), [0, 2]);
        // A call that left nothing, before another one and at the end.
        assert_eq!(places(&[1, 3, 9], &[(12, "begins"), (42, "")]), [0, 1, 2]);
        assert_eq!(places(&[1, 2, 4], &[(12, "begins"), (55, "")]), [0, 1, 1]);
    }

    #[test]
    fn within_a_second_the_place_is_taken_where_a_call_must_begin() {
        let steps = [(369, "begins"), (381, "goes on"), (385, "begins"), (389, "begins"), (401, "")];
        assert_eq!(places(&[36, 38, 38, 40], &steps), [0, 2, 3, 4]);
        // A manifest of that second may be older than the log.
        assert_eq!(places(&[36, 38], &[(369, "begins"), (381, "goes on")]), [0, 2]);
        // No call without a manifest where there need be none.
        assert_eq!(places(&[10, 10], &[(103, "begins"), (108, "")]), [0, 1]);
    }

    #[test]
    fn names_in_a_log_decide() {
        let begun = vec![("b_000000".to_owned(), "d".to_owned())];
        let logs = [log(10), Log { begun, ..log(10) }];
        let steps: Vec<_> = ["a_000000", "a_000001", "b_000000", "c_000000"]
            .iter()
            .enumerate()
            .map(|(place, name)| Step {
                name,
                ..step(101 + place as i64, if place == 0 { "begins" } else { "" })
            })
            .collect();
        assert_eq!(place(&logs, &steps).iter().map(|start| start.before).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn zones_are_found_where_nobody_says_them() {
        let steps = [(1_000_012, "begins"), (1_000_400, "begins"), (1_009_000, "")]
            .map(|(time, kind)| step(time, kind));
        for zone in [0, -12_600, 3_600, 20_700, -36_000] {
            let logs = [100_000, 100_039, 100_899].map(|at| log(at + zone));
            assert_eq!(offsets(&logs, &steps), [zone; 3]);
        }
        let logs = [Log { offset: Some(7_200), ..log(107_200) }, log(107_239)];
        assert_eq!(offsets(&logs, &steps), [7_200; 2]);
        // From one day to the next summer begins.
        let day = 864_000;
        let logs = [100_000, 100_039, 100_000 + 86_400 - 3_600].map(|at| log(at + 3_600));
        let steps =
            [step(1_000_012, "begins"), step(1_000_400, "begins"), step(1_000_012 + day - 72_000, "begins")];
        assert_eq!(offsets(&logs[..2], &steps), [3_600; 2]);
        let summer = [log(103_600), log(103_639), log(100_000 + 86_400 - 7_200 + 7_200)];
        let found = offsets(&summer, &steps);
        assert_eq!(found, [3_600, 3_600, 7_200]);
    }
}
