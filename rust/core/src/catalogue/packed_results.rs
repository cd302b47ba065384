//! Results of one run as bytes that are looked through without making trees of them.
//!
//! A result is the values of its [`FIELDS`], each as [`Tree::encode`] writes it or as one byte where the
//! result before it has the same, then what else it holds as one map.

use super::result_fields::FIELDS;
use crate::base::codec::{ByteReader, ByteWriter};
use crate::base::error::{Result, corrupt};
use crate::yaml::tree::{Part, Tree};

/// In place of a value that the result before has too: no kind of value.
const SAME: u8 = 255;

/// Writes results down; each has all [`FIELDS`], in their order, before all else.
pub fn pack(results: &[Tree], out: &mut ByteWriter) {
    out.int(results.len() as u64);
    let mut before: Vec<Option<&Tree>> = vec![None; FIELDS.len()];
    for result in results {
        let Tree::Map(entries) = result else { continue };
        for ((_, value), before) in entries.iter().zip(&mut before) {
            if before.is_some_and(|before| is_same(before, value)) {
                out.bytes.push(SAME);
            } else {
                value.encode(out);
                *before = Some(value);
            }
        }
        Tree::Map(entries.get(FIELDS.len()..).unwrap_or_default().to_vec()).encode(out);
    }
}

/// Whether values are equal to the last bit; of floats, which equal their negative zero, it is not asked.
fn is_same(one: &Tree, other: &Tree) -> bool {
    match one {
        Tree::Float(_) | Tree::Map(_) => false,
        Tree::List(items) => items.is_empty() && one == other,
        _ => one == other,
    }
}

/// A result as it was written down.
#[derive(Clone, Copy)]
pub struct PackedResult<'a> {
    fields: [&'a [u8]; FIELDS.len()],
    others: &'a [u8],
}

/// Hands out results that were written down.
pub fn unpack<'a>(
    reader: &mut ByteReader<'a>,
    take: &mut dyn FnMut(usize, &PackedResult<'a>) -> Result<()>,
) -> Result<()> {
    let count = reader.count(FIELDS.len() + 2)?;
    let mut result = PackedResult { fields: [&[]; FIELDS.len()], others: &[] };
    for place in 0..count {
        for field in &mut result.fields {
            let own = encoded(reader)?;
            if own != [SAME] {
                *field = own;
            }
        }
        result.others = encoded(reader)?;
        take(place, &result)?;
    }
    Ok(())
}

/// The bytes of the next value.
fn encoded<'a>(reader: &mut ByteReader<'a>) -> Result<&'a [u8]> {
    let rest = reader.rest();
    let length = match rest {
        [0..=2 | SAME, ..] => 1,
        [5, ..] => 9,
        // Texts are not looked at, which would be most of the work.
        [4 | 6, length @ ..=127, ..] => 2 + usize::from(*length),
        [10 | 11, 0, ..] => 2,
        _ => rest.len() - after(reader.clone())?.left(),
    };
    reader.bytes(length)
}

/// What comes after the next value.
fn after(mut reader: ByteReader<'_>) -> Result<ByteReader<'_>> {
    let mut left = 1_usize;
    while left > 0 {
        left -= 1;
        left += match Part::next(&mut reader)? {
            Part::List(count) => count,
            Part::Map(count) => 2 * count,
            _ => 0,
        };
    }
    Ok(reader)
}

impl<'a> PackedResult<'a> {
    /// The value of one of [`FIELDS`].
    pub fn get(&self, field: usize) -> Result<Part<'a>> {
        Part::next(&mut ByteReader::new(self.fields[field]))
    }

    /// The bytes of that value.
    pub fn bytes(&self, field: usize) -> &'a [u8] {
        self.fields[field]
    }

    /// The value of a field, where it is a text.
    pub fn text(&self, field: usize) -> Option<&'a str> {
        if let Ok(Part::Text(text)) = self.get(field) { Some(text) } else { None }
    }

    /// All of it.
    pub fn tree(&self) -> Result<Tree> {
        let decode = |bytes| Tree::decode(&mut ByteReader::new(bytes));
        let fields = FIELDS.iter().zip(&self.fields);
        let mut entries: Vec<(Tree, Tree)> =
            fields.map(|(&name, bytes)| Ok((name.into(), decode(bytes)?))).collect::<Result<_>>()?;
        let Tree::Map(others) = decode(self.others)? else { return Err(corrupt("a result has no map")) };
        entries.extend(others);
        Ok(Tree::Map(entries))
    }
}

/// The place of a field.
pub fn field(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| *field == name)
}

#[cfg(test)]
mod tests {
    use super::super::result_fields::complete;
    use super::{ByteReader, ByteWriter, FIELDS, Tree, field, pack, unpack};

    #[test]
    fn what_is_packed_comes_out_again() {
        let result = |id: &str, score: f64, others: Vec<(Tree, Tree)>| {
            let given = [("id", id.into()), ("best_score", Tree::Float(score)), ("n_rows", Tree::Int(-3))];
            let choices = Tree::List(vec![Tree::map([("_or_", "SNV".into())]), Tree::Null]);
            let given = given.into_iter().chain([("generator_choices", choices)]);
            complete(given.map(|(key, value)| (key.into(), value)).chain(others).collect())
        };
        let results = [
            result("a", 0.0, Vec::new()),
            result("b", -0.0, vec![("later".into(), Tree::List(vec![Tree::map([])]))]),
            result("b", f64::INFINITY, vec![("later".into(), Tree::Null)]),
        ];
        let mut out = ByteWriter::default();
        pack(&results, &mut out);
        let (mut found, mut ids) = (Vec::new(), Vec::new());
        let mut reader = ByteReader::new(&out.bytes);
        unpack(&mut reader, &mut |place, packed| {
            assert_eq!(place, found.len());
            ids.push(packed.text(field("id").unwrap_or(FIELDS.len())).map(str::to_owned));
            found.push(packed.tree()?);
            Ok(())
        })
        .unwrap_or_default();
        assert!(reader.is_at_end());
        assert_eq!(found, results);
        assert_eq!(ids, ["a", "b", "b"].map(|id| Some(id.to_owned())));
        // Cut anywhere, it is an error and no panic.
        for end in 0..out.bytes.len() {
            assert!(
                unpack(&mut ByteReader::new(&out.bytes[..end]), &mut |_, packed| packed.tree().map(drop))
                    .is_err()
            );
        }
    }
}
