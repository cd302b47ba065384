//! Times pages of a workspace: `pages FOLDER [OFFSET [SORT [name=value ...]]]`.

use std::path::Path;
use std::time::Instant;

use n4w_core::base::progress::Progress;
use n4w_core::query::filter::{Asks, Filter};
use n4w_core::query::keys::Sort;
use n4w_core::query::page::{Ask, page};
use n4w_core::segment::live_set::Open;

fn main() -> n4w_core::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().unwrap_or_default();
    let offset = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(50_000);
    let column = arguments.next().unwrap_or_else(|| "val_score".to_owned());
    let mut filter = Filter::default();
    for argument in arguments {
        if let Some((name, value)) = argument.split_once('=')
            && let Asks::Equal(column) = Asks::of(name)?
        {
            filter.equal.push((column, value.to_owned()));
        }
    }
    let mut ask = Ask {
        filter,
        named: String::new(),
        sort: Sort { column, descending: None, direction: None },
        offset,
        limit: 100,
        cursor: None,
        columns: None,
        open: Open::Live,
    };
    for _ in 0..6 {
        let began = Instant::now();
        let answer = page(Path::new(&root), &ask, &Progress::default())?;
        println!(
            "{:.4} s, {} rows of {} at {}",
            began.elapsed().as_secs_f64(),
            answer.rows.num_rows(),
            answer.total,
            answer.offset
        );
        ask.cursor = answer.next_cursor;
        ask.offset = 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    Ok(())
}
