//! What the headers of an archive say, made unambiguous before it is read.
//!
//! Of several records of a pax header with one key the last counts (POSIX.1-2017, pax, "Extended
//! Header"); readers that take the first would see other names and sizes. A size that a header
//! cannot mean makes readers disagree on where the next one starts.

use std::borrow::Cow;
use std::ops::Range;

use l4re_packager_base::Diagnostic;

use super::read::BLOCK;

/// Place and length of the size in a header, and place of the kind.
const SIZE: Range<usize> = 124..136;
const KIND: usize = 156;

/// The archive with one record for each key of a pax header.
///
/// # Errors
///
/// [`Diagnostic`] for a size that is no number, negative, larger than what follows, or that of a
/// folder, and for a pax header whose records do not fill it.
pub(super) fn normalised(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Diagnostic> {
    let mut out = Cow::Borrowed(bytes);
    let mut at = 0_usize;
    let mut size_record: Option<u64> = None;
    while let Some(header) = bytes.get(at..at.saturating_add(BLOCK)) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let bad = |what: &str| {
            Diagnostic::error("udi-archive", format!("{what} in this header")).offset(at as u64)
        };
        let kind = header.get(KIND).copied().unwrap_or_default();
        let own = header.get(SIZE).and_then(number).ok_or_else(|| bad("an impossible size"))?;
        let extended = matches!(kind, b'x' | b'g' | b'L' | b'K');
        let size = if extended { own } else { size_record.take().unwrap_or(own) };
        if kind == b'5' && size != 0 {
            return Err(bad("the size of a folder"));
        }
        let start = at.saturating_add(BLOCK);
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
        let end = end.filter(|end| *end <= bytes.len());
        let end = end.ok_or_else(|| bad("a size larger than what follows"))?;
        if kind == b'x' {
            let data = bytes.get(start..end).unwrap_or_default();
            let records = records(data).ok_or_else(|| bad("a damaged pax header"))?;
            for (index, (key, value)) in records.iter().enumerate() {
                let name = data.get(key.clone()).unwrap_or_default();
                let same = |(other, _): &(Range<usize>, Range<usize>)| {
                    data.get(other.clone()) == Some(name)
                };
                if records.iter().skip(index + 1).any(same) {
                    // A key that means nothing; the length stays.
                    let place = start + key.start;
                    out.to_mut().get_mut(place..place + 1).into_iter().for_each(|c| c.fill(b'_'));
                } else if name == b"size" {
                    let value = data.get(value.clone()).unwrap_or_default();
                    let value = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    size_record = Some(value.ok_or_else(|| bad("an impossible size"))?);
                }
            }
        }
        at = end.next_multiple_of(BLOCK);
    }
    Ok(out)
}

/// A number of a header: octal digits, or a positive one of base 256.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, zeros @ .., a, b, c, d, e, f, g, h] = field {
        let number = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
        return zeros.iter().all(|byte| *byte == 0).then_some(number);
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_start_matches(' ').trim_end_matches([' ', '\0']);
    if text.is_empty() {
        return Some(0);
    }
    let octal = text.chars().all(|c| ('0'..='7').contains(&c));
    octal.then(|| u64::from_str_radix(text, 8).ok()).flatten()
}

/// Places of keys and values of the records `LENGTH KEY=VALUE\n`.
fn records(data: &[u8]) -> Option<Vec<(Range<usize>, Range<usize>)>> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let rest = data.get(at..)?;
        let blank = rest.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(rest.get(..blank)?).ok()?.parse().ok()?;
        let record = rest.get(..length)?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        if equals <= blank + 1 || record.last() != Some(&b'\n') {
            return None;
        }
        records.push((at + blank + 1..at + equals, at + equals + 1..at + length - 1));
        at += length;
    }
    Some(records)
}
