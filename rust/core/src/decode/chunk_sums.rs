//! Checksums of the bytes before a footer, in a key of the footer.

use std::sync::{Arc, Mutex, PoisonError};

use base64_simd::STANDARD as BASE64;
use bytes::Bytes;
use parquet::arrow::arrow_writer::{InMemoryPageStore, PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use twox_hash::XxHash3_64;

use crate::base::error::{Error, Result, corrupt};
use crate::footer::Footer;
use crate::footer::layout::{Extent, Layout};

/// The key of the checksums.
pub const CHUNKS_KEY: &str = "n4a_chunks";
const MAGIC: &[u8; 4] = b"N4AC";
const VERSION: u8 = 1;
/// What segments of this package say of their writer.
const CREATED_BY: &str = "parquet-rs ";
const SUM: usize = 8;

/// The checksums of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Of all page indexes.
    pub page_index: u64,
    /// Of each row group's chunks, and of the bloom filters of those that have one.
    groups: Vec<GroupSums>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct GroupSums {
    chunks: Box<[u64]>,
    bloom_filters: Box<[(usize, u64)]>,
}

impl Sums {
    /// The checksum of a chunk.
    pub fn chunk(&self, group: usize, leaf: usize) -> Option<u64> {
        self.groups.get(group)?.chunks.get(leaf).copied()
    }

    /// The checksum of a bloom filter.
    pub fn bloom_filter(&self, group: usize, leaf: usize) -> Option<u64> {
        let filters = &self.groups.get(group)?.bloom_filters;
        filters.iter().find(|(of, _)| *of == leaf).map(|(_, sum)| *sum)
    }

    /// Reads the checksums of a file; `None` where it has none that can be of these bytes: no key, one of a
    /// newer version, or one that another program copied when it rewrote the file.
    pub fn of(footer: &Footer<'_>, layout: &Layout) -> Result<Option<Self>> {
        let Some(text) = footer.get(CHUNKS_KEY) else { return Ok(None) };
        let is_ours = footer.created_by.is_some_and(|name| name.starts_with(CREATED_BY));
        let damaged = |what: &str| {
            if is_ours { Err(corrupt(format!("the footer is damaged: {what}"))) } else { Ok(None) }
        };
        let Ok(bytes) = BASE64.decode_to_vec(text) else {
            return damaged("its checksums are not base64");
        };
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return damaged("its checksums do not begin as such");
        };
        let Some(rest) = rest.strip_prefix(&[VERSION]) else { return Ok(None) };
        let (sums, []) = rest.as_chunks::<SUM>() else { return damaged("its checksums end inside one") };
        let mut sums = sums.iter().map(|sum| u64::from_le_bytes(*sum));
        if sums.next() != Some(footer.layout_hash()) {
            return damaged("its columns or row groups are not those that were written");
        }
        let filters = |group: &crate::footer::layout::Group| {
            group.chunks.iter().filter(|chunk| chunk.bloom_filter.is_some()).count()
        };
        let expected =
            layout.groups.iter().map(|group| group.chunks.len() + filters(group)).sum::<usize>() + 1;
        if sums.len() != expected {
            return damaged("it has checksums of other column chunks");
        }
        let mut next = || sums.next().unwrap_or_default();
        let page_index = next();
        let groups = layout.groups.iter().map(|group| {
            let chunks = group.chunks.iter().map(|_| next()).collect();
            let with_filter =
                group.chunks.iter().enumerate().filter(|(_, chunk)| chunk.bloom_filter.is_some());
            let bloom_filters = with_filter.map(|(leaf, _)| (leaf, next())).collect();
            GroupSums { chunks, bloom_filters }
        });
        Ok(Some(Self { page_index, groups: groups.collect() }))
    }
}

/// The value of the key, from the checksums of the chunks as they were written and the bytes of all else.
pub fn encode(
    footer: &Footer<'_>,
    chunks: &[Vec<u64>],
    read: &mut dyn FnMut(&Extent) -> Result<Vec<u8>>,
) -> Result<String> {
    let layout = footer.layout()?;
    let mut out = [MAGIC.as_slice(), &[VERSION]].concat();
    let mut add = |sum: u64| out.extend_from_slice(&sum.to_le_bytes());
    add(footer.layout_hash());
    add(XxHash3_64::oneshot(&read(&layout.page_index())?));
    if !chunks.iter().map(Vec::len).eq(layout.groups.iter().map(|group| group.chunks.len())) {
        return Err(corrupt("the column chunks that were written are not those of the footer"));
    }
    for (sums, group) in chunks.iter().zip(&layout.groups) {
        sums.iter().for_each(|sum| add(*sum));
        for filter in group.chunks.iter().filter_map(|chunk| chunk.bloom_filter.as_ref()) {
            add(XxHash3_64::oneshot(&read(filter)?));
        }
    }
    Ok(BASE64.encode_to_string(out))
}

/// Makes stores of pages that hash them as they are written.
#[derive(Clone, Debug, Default)]
pub struct Hashing {
    done: Arc<Mutex<Vec<(usize, u64)>>>,
}

impl Hashing {
    /// The checksums of the chunks that were written since, in the order of their columns.
    pub fn take(&self) -> Vec<u64> {
        let mut done = std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner));
        done.sort_unstable_by_key(|(leaf, _)| *leaf);
        done.into_iter().map(|(_, sum)| sum).collect()
    }
}

impl PageStoreFactory for Hashing {
    fn create(&self, args: &PageStoreArgs<'_>) -> parquet::errors::Result<Box<dyn PageStore>> {
        Ok(Box::new(HashingStore {
            leaf: args.column_index(),
            pages: InMemoryPageStore::default(),
            hasher: XxHash3_64::new(),
            done: Arc::clone(&self.done),
        }))
    }
}

/// The pages of a chunk, which leave it in the order in which they are written to the file.
struct HashingStore {
    leaf: usize,
    pages: InMemoryPageStore,
    hasher: XxHash3_64,
    done: Arc<Mutex<Vec<(usize, u64)>>>,
}

impl PageStore for HashingStore {
    fn put(&mut self, value: Bytes) -> parquet::errors::Result<PageKey> {
        self.pages.put(value)
    }

    fn take(&mut self, key: PageKey) -> parquet::errors::Result<Bytes> {
        let page = self.pages.take(key)?;
        std::hash::Hasher::write(&mut self.hasher, &page);
        Ok(page)
    }

    fn memory_size(&self) -> usize {
        self.pages.memory_size()
    }
}

impl Drop for HashingStore {
    fn drop(&mut self) {
        let sum = std::hash::Hasher::finish(&self.hasher);
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push((self.leaf, sum));
    }
}

/// An error where bytes are not those that were written.
pub fn compare(found: u64, written: u64) -> Result<(), Error> {
    if found == written {
        return Ok(());
    }
    Err(corrupt("its bytes are not those that were written: their checksum is another"))
}
