//! Reading and writing encoded values, and the buffers they live in.
//!
//! docs/ENCODING.md fixes the encoding. A reader never trusts what it reads: every length is held
//! against the bytes that are left.

use std::cell::RefCell;
use wasmtime::{Result, bail};

/// Buffers a thread keeps for reuse, and the largest it keeps.
const FRAMES_KEPT: usize = 8;
const FRAME_BYTES_KEPT: usize = 1 << 20;

thread_local! {
    static FRAMES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Where the bytes of a reply or of arguments live: a `Vec`, a [`Frame`], a buffer of C++.
pub trait Reply: Send + Sync + 'static {
    fn bytes(&self) -> &[u8];
}

impl Reply for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Reply for &'static [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Reply for Frame {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The largest piece that is copied at once, see [`copy`].
const PIECE: usize = 2048;

/// Copies in pieces that the C library does not hand to `rep movsb`. On some processors that
/// instruction takes ten times as long where source and target differ by a few bytes modulo a page,
/// as they do when a length stands in front of a large block.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    assert_eq!(to.len(), from.len());
    for (to, from) in to.chunks_mut(PIECE).zip(from.chunks(PIECE)) {
        to.copy_from_slice(from);
        // Without the fence the compiler makes one large copy of the pieces again.
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }
}

/// [`copy`], to the end of a vector.
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len());
    for piece in bytes.chunks(PIECE) {
        out.extend_from_slice(piece);
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }
}

/// A buffer out of the thread's pool, into which it goes back when dropped (on any thread).
#[derive(Default, Debug)]
pub struct Frame(Vec<u8>);

impl Frame {
    /// An empty buffer.
    #[inline]
    pub fn take() -> Frame {
        Frame(
            FRAMES.with(|kept| kept.borrow_mut().pop()).unwrap_or_else(|| Vec::with_capacity(256)),
        )
    }
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
    /// The bytes for good: this buffer does not come back to the pool.
    pub fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        let capacity = self.0.capacity();
        if capacity == 0 || capacity > FRAME_BYTES_KEPT {
            return;
        }
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        // The pool is gone when a thread ends: its last frames are simply freed.
        let _ = FRAMES.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < FRAMES_KEPT {
                kept.push(buffer);
            }
        });
    }
}

/// Writes an unsigned number in as few bytes as it takes.
#[inline]
pub fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        put_u64(out, value.into());
    }
}

/// Writes a signed number in as few bytes as it takes.
#[inline]
pub fn put_s64(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// The bytes of a number that can be overwritten in place: five, whatever the number.
pub fn padded_u32(value: u32) -> [u8; 5] {
    [
        value as u8 | 0x80,
        (value >> 7) as u8 | 0x80,
        (value >> 14) as u8 | 0x80,
        (value >> 21) as u8 | 0x80,
        (value >> 28) as u8,
    ]
}

/// A cursor over encoded bytes that nobody vouches for.
pub struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { bytes, at: 0 }
    }
    pub fn at(&self) -> usize {
        self.at
    }
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
    /// Fails where bytes are left over: a value is exactly as long as its bytes.
    pub fn finish(&self) -> Result<()> {
        match self.left() {
            0 => Ok(()),
            left => bail!("{left} bytes left over after the value of {} bytes", self.at),
        }
    }
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'b [u8]> {
        let Some(bytes) = self.bytes[self.at..].get(..count) else {
            bail!("value cut short: {count} bytes wanted at {}, {} left", self.at, self.left());
        };
        self.at += count;
        Ok(bytes)
    }
    #[inline]
    pub fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT]> {
        let Some(bytes) = self.bytes[self.at..].first_chunk() else {
            bail!("value cut short: {COUNT} bytes wanted at {}, {} left", self.at, self.left());
        };
        self.at += COUNT;
        Ok(*bytes)
    }
    #[inline]
    pub fn byte(&mut self) -> Result<u8> {
        let Some(byte) = self.bytes.get(self.at) else {
            bail!("value cut short at {}", self.at);
        };
        self.at += 1;
        Ok(*byte)
    }
    /// A byte that is 0 or 1.
    #[inline]
    pub fn bit(&mut self) -> Result<u8> {
        match self.byte()? {
            bit @ (0 | 1) => Ok(bit),
            other => bail!("byte {other} at {} where 0 or 1 was expected", self.at - 1),
        }
    }
    #[inline]
    pub fn unsigned(&mut self, bits: u32) -> Result<u64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(first.into());
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.byte()?;
            let room = bits.saturating_sub(shift);
            if room == 0 || (room < 7 && byte >> room != 0) {
                bail!("number at {} does not fit {bits} bits", self.at - 1);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }
    #[inline]
    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.unsigned(32)? as u32)
    }
    pub fn signed(&mut self, bits: u32) -> Result<i64> {
        let mut value = 0i64;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            let room = bits.saturating_sub(shift);
            // The bits above the number's own repeat its sign, and the last byte is the last.
            let sign = (byte as i8) << 1 >> room.min(7);
            if room == 0 || (room < 7 && (byte >= 0x80 || (sign != 0 && sign != -1))) {
                bail!("number at {} does not fit {bits} bits", self.at - 1);
            }
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= -1 << shift;
                }
                return Ok(value);
            }
        }
    }
    /// How many elements follow, each of at least `least` bytes.
    #[inline]
    pub fn count(&mut self, least: u32) -> Result<usize> {
        let count = self.u32()?;
        if u64::from(count) * u64::from(least.max(1)) > self.left() as u64 {
            bail!("{count} elements at {} do not fit the {} bytes left", self.at, self.left());
        }
        Ok(count as usize)
    }
    #[inline]
    pub fn string(&mut self) -> Result<&'b str> {
        let length = self.u32()? as usize;
        let at = self.at;
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(text),
            Err(error) => bail!("string at {at} is not UTF-8: {error}"),
        }
    }
    pub fn char(&mut self) -> Result<char> {
        let at = self.at;
        let first = self.byte()?;
        let length = match first {
            0..0x80 => return Ok(first.into()),
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf8 => 4,
            _ => bail!("char at {at} is not UTF-8"),
        };
        self.at = at;
        match std::str::from_utf8(self.take(length)?).ok().and_then(|text| text.chars().next()) {
            Some(char) => Ok(char),
            None => bail!("char at {at} is not UTF-8"),
        }
    }
}

#[cfg(test)]
mod tests {
    //! Shows that numbers come out as they went in at every width, and that a pool keeps no more
    //! than it says.
    use super::*;

    #[test]
    fn numbers_at_the_edges_of_each_width() {
        for shift in 0..64 {
            for near in [-1i64, 0, 1] {
                let value = (1u64 << shift).wrapping_add_signed(near);
                let mut out = Vec::new();
                put_u64(&mut out, value);
                assert_eq!(Reader::new(&out).unsigned(64).unwrap(), value);
                for bits in [16, 32] {
                    let read = Reader::new(&out).unsigned(bits);
                    assert_eq!(read.is_ok(), value >> bits == 0, "{value} in {bits}");
                }
                let value = value as i64;
                for value in [value, value.wrapping_neg()] {
                    out.clear();
                    put_s64(&mut out, value);
                    let mut reader = Reader::new(&out);
                    assert_eq!(reader.signed(64).unwrap(), value);
                    reader.finish().unwrap();
                    for bits in [16, 32] {
                        let fits = value >> (bits - 1) == 0 || value >> (bits - 1) == -1;
                        let read = Reader::new(&out).signed(bits);
                        assert_eq!(read.is_ok(), fits, "{value} in {bits}");
                    }
                }
            }
        }
    }

    #[test]
    fn padded_numbers_read_as_themselves() {
        for number in [0, 1, 127, 128, 300, u32::MAX] {
            let bytes = padded_u32(number);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.u32().unwrap(), number);
            reader.finish().unwrap();
        }
    }

    #[test]
    fn every_char_and_nothing_else_is_read() {
        for char in '\0'..=char::MAX {
            let mut buffer = [0; 4];
            let bytes = char.encode_utf8(&mut buffer).as_bytes();
            assert_eq!(Reader::new(bytes).char().unwrap(), char);
            // An error is slow to make, a char is not.
            if u32::from(char) % 101 == 0 {
                assert!(Reader::new(&bytes[..bytes.len() - 1]).char().is_err());
            }
        }
        for bytes in [&[0x80][..], &[0xc1, 0x80], &[0xed, 0xa0, 0x80], &[0xf8, 0x80, 0x80, 0x80]] {
            assert!(Reader::new(bytes).char().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_pool_keeps_few_and_small_buffers() {
        let frames = (0..FRAMES_KEPT + 3).map(|_| Frame::take()).collect::<Vec<_>>();
        drop(frames);
        let mut large = Frame::take();
        large.bytes_mut().reserve(2 * FRAME_BYTES_KEPT);
        drop(large);
        FRAMES.with(|kept| {
            let kept = kept.borrow();
            assert!(kept.len() == FRAMES_KEPT - 1, "{}", kept.len());
            assert!(kept.iter().all(|buffer| buffer.is_empty()));
            assert!(kept.iter().all(|buffer| buffer.capacity() <= FRAME_BYTES_KEPT));
        });
    }
}
