//! From the guest to bytes. Every pointer, length, discriminant, char and string is the guest's
//! word and is checked; what is read is paid for with the store's fuel for host calls.

use crate::bytes::{append, padded_u32, put_s64, put_u32, put_u64};
use crate::item::{Handle, Slot};
use crate::plan::{Node, Op, Payload, Tag};
use wasmtime::component::__internal::wasmtime_environ::component::{
    StringEncoding, TypeResourceTableIndex,
};
use wasmtime::component::__internal::{InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentType, FutureReader, Lift, ResourceAny, ResourceDynamic};
use wasmtime::{Result, ValRaw, bail, format_err};

/// One value on its way from the guest.
pub(crate) struct Lifter<'c, 'a> {
    cx: &'c mut LiftContext<'a>,
    memory: &'a [u8],
    out: &'c mut Vec<u8>,
    pub handles: Vec<Slot>,
}

/// Whether a resource crosses as the number its host gave it.
pub(crate) fn by_number(types: &InstanceType<'_>, table: TypeResourceTableIndex) -> bool {
    ResourceDynamic::typecheck(&InterfaceType::Own(table), types).is_ok()
}

impl<'c, 'a> Lifter<'c, 'a> {
    pub fn new(cx: &'c mut LiftContext<'a>, out: &'c mut Vec<u8>) -> Self {
        let memory = cx.memory();
        Lifter { cx, memory, out, handles: Vec::new() }
    }

    /// A value in core values, of which it takes as many as it has.
    pub fn flat<'s>(&mut self, node: &Node, source: &mut &'s [ValRaw]) -> Result<()> {
        match &node.op {
            Op::Bool => self.out.push(u8::from(next(source)?.get_u32() != 0)),
            Op::S8 | Op::U8 => self.out.push(next(source)?.get_u32() as u8),
            Op::S16 => put_s64(self.out, i64::from(next(source)?.get_i32() as i16)),
            Op::U16 => put_u32(self.out, u32::from(next(source)?.get_u32() as u16)),
            Op::S32 => put_s64(self.out, i64::from(next(source)?.get_i32())),
            Op::U32 => put_u32(self.out, next(source)?.get_u32()),
            Op::S64 => put_s64(self.out, next(source)?.get_i64()),
            Op::U64 => put_u64(self.out, next(source)?.get_u64()),
            Op::F32 => self.out.extend_from_slice(&next(source)?.get_f32().to_le_bytes()),
            Op::F64 => self.out.extend_from_slice(&next(source)?.get_f64().to_le_bytes()),
            Op::Char => put_char(self.out, next(source)?.get_u32())?,
            Op::String => {
                let (pointer, length) = (next(source)?, next(source)?);
                self.string(pointer.get_u32(), length.get_u32())?;
            }
            Op::List(element) => {
                let (pointer, length) = (next(source)?, next(source)?);
                self.list(element, pointer.get_u32(), length.get_u32())?;
            }
            Op::Fixed(element, count) => {
                for _ in 0..*count {
                    self.flat(element, source)?;
                }
            }
            Op::Fields(fields) => {
                for field in fields.iter() {
                    self.flat(&field.node, source)?;
                }
            }
            Op::Variant(variant) => {
                let whole = *source;
                let case = next(source)?.get_u32();
                let payload = put_case(self.out, case, &variant.cases)?;
                if let Some(payload) = payload {
                    self.flat(payload, source)?;
                }
                // Cases shorter than the longest leave values nobody reads.
                *source = &whole[usize::from(node.flat).min(whole.len())..];
            }
            Op::Enum { count, .. } => put_enum(self.out, next(source)?.get_u32(), *count)?,
            Op::Flags { count } => {
                let start = self.out.len();
                for _ in 0..count.div_ceil(32) {
                    self.out.extend_from_slice(&next(source)?.get_u32().to_le_bytes());
                }
                trim_flags(self.out, start, *count);
            }
            Op::Own(_) | Op::Borrow(_) | Op::Stream(..) | Op::Future(..) => {
                self.handle(&node.op, next(source)?.get_u32())?;
            }
        }
        Ok(())
    }

    /// A value in memory.
    pub fn load(&mut self, node: &Node, at: usize) -> Result<()> {
        if node.solid {
            return solid(self.memory, node, at, self.out);
        }
        match &node.op {
            Op::String => {
                let (pointer, length) = self.pair(at)?;
                self.string(pointer, length)
            }
            Op::List(element) => {
                let (pointer, length) = self.pair(at)?;
                self.list(element, pointer, length)
            }
            Op::Fixed(element, count) => (0..*count as usize)
                .try_for_each(|index| self.load(element, at + index * element.size as usize)),
            Op::Fields(fields) => fields
                .iter()
                .try_for_each(|field| self.load(&field.node, at + field.offset as usize)),
            Op::Variant(variant) => {
                let case = read_tag(self.memory, at, variant.tag)?;
                match put_case(self.out, case, &variant.cases)? {
                    Some(payload) => self.load(payload, at + variant.payload as usize),
                    None => Ok(()),
                }
            }
            _ => {
                let index = u32::from_le_bytes(read(self.memory, at)?);
                self.handle(&node.op, index)
            }
        }
    }

    fn pair(&self, at: usize) -> Result<(u32, u32)> {
        let pair = u64::from_le_bytes(read(self.memory, at)?);
        Ok((pair as u32, (pair >> 32) as u32))
    }

    fn string(&mut self, pointer: u32, length: u32) -> Result<()> {
        if self.cx.options().string_encoding != StringEncoding::Utf8 {
            let raw = [ValRaw::u32(pointer), ValRaw::u32(length)];
            let text = String::linear_lift_from_flat(self.cx, InterfaceType::String, &raw)?;
            put_u32(self.out, u32::try_from(text.len())?);
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let Some(bytes) =
            self.memory.get(pointer as usize..).and_then(|m| m.get(..length as usize))
        else {
            bail!("string pointer/length out of bounds of memory");
        };
        self.cx.consume_fuel(bytes.len())?;
        if let Err(error) = std::str::from_utf8(bytes) {
            bail!("string is not UTF-8: {error}");
        }
        put_u32(self.out, length);
        append(self.out, bytes);
        Ok(())
    }

    fn list(&mut self, element: &Node, pointer: u32, length: u32) -> Result<()> {
        let (pointer, count, size) = (pointer as usize, length as usize, element.size as usize);
        if !pointer.is_multiple_of(element.align as usize) {
            bail!("list pointer is not aligned");
        }
        let bytes = count
            .checked_mul(size)
            .and_then(|length| self.memory.get(pointer..).and_then(|m| m.get(..length)))
            .ok_or_else(|| format_err!("list pointer/length out of bounds of memory"))?;
        self.cx.consume_fuel(bytes.len())?;
        put_u32(self.out, length);
        match element.op {
            Op::U8 | Op::S8 | Op::F32 | Op::F64 => append(self.out, bytes),
            Op::Bool => self.out.extend(bytes.iter().map(|byte| u8::from(*byte != 0))),
            Op::U16 => self.numbers(bytes, |b, out| put_u32(out, u16::from_le_bytes(b).into())),
            Op::U32 => self.numbers(bytes, |b, out| put_u32(out, u32::from_le_bytes(b))),
            Op::U64 => self.numbers(bytes, |b, out| put_u64(out, u64::from_le_bytes(b))),
            Op::S16 => self.numbers(bytes, |b, out| put_s64(out, i16::from_le_bytes(b).into())),
            Op::S32 => self.numbers(bytes, |b, out| put_s64(out, i32::from_le_bytes(b).into())),
            Op::S64 => self.numbers(bytes, |b, out| put_s64(out, i64::from_le_bytes(b))),
            _ if element.solid => {
                for index in 0..count {
                    solid(self.memory, element, pointer + index * size, self.out)?;
                }
            }
            _ => {
                for index in 0..count {
                    self.load(element, pointer + index * size)?;
                }
            }
        }
        Ok(())
    }

    fn numbers<const SIZE: usize>(&mut self, bytes: &[u8], put: impl Fn([u8; SIZE], &mut Vec<u8>)) {
        self.out.reserve(bytes.len() / SIZE);
        for number in bytes.as_chunks::<SIZE>().0 {
            put(*number, self.out);
        }
    }

    fn handle(&mut self, op: &Op, index: u32) -> Result<()> {
        let raw = ValRaw::u32(index);
        let handle = match *op {
            Op::Own(table) => {
                if by_number(&self.cx.instance_type(), table) {
                    let (number, _, _) = self.cx.guest_resource_lift_own(table, index)?;
                    put_u32(self.out, number);
                    return Ok(());
                }
                Handle::Resource(self.lift_one::<ResourceAny>(InterfaceType::Own(table), raw)?)
            }
            Op::Borrow(table) => {
                if by_number(&self.cx.instance_type(), table) {
                    let number = self.cx.guest_resource_lift_borrow(table, index)?;
                    put_u32(self.out, number);
                    return Ok(());
                }
                Handle::Resource(self.lift_one::<ResourceAny>(InterfaceType::Borrow(table), raw)?)
            }
            Op::Stream(table, payload) => {
                let ty = InterfaceType::Stream(table);
                match payload {
                    Payload::Unit => Handle::StreamUnit(self.lift_one(ty, raw)?),
                    Payload::Bytes => Handle::StreamU8(self.lift_one(ty, raw)?),
                    _ => Handle::Stream(self.lift_one(ty, raw)?),
                }
            }
            Op::Future(table, payload) => {
                let ty = InterfaceType::Future(table);
                match payload {
                    Payload::Unit => {
                        Handle::FutureUnit(self.lift_one::<FutureReader<()>>(ty, raw)?)
                    }
                    _ => Handle::Future(self.lift_one(ty, raw)?),
                }
            }
            _ => bail!("not a handle"),
        };
        let number = u32::try_from(self.handles.len())?;
        self.handles.push(Slot { at: self.out.len(), handle });
        self.out.extend_from_slice(&padded_u32(number));
        Ok(())
    }

    fn lift_one<H: Lift<Lower = ValRaw>>(&mut self, ty: InterfaceType, raw: ValRaw) -> Result<H> {
        H::linear_lift_from_flat(self.cx, ty, &raw)
    }
}

#[inline]
fn next<'s>(source: &mut &'s [ValRaw]) -> Result<&'s ValRaw> {
    let Some((first, rest)) = source.split_first() else {
        bail!("fewer core values than the type has");
    };
    *source = rest;
    Ok(first)
}

#[inline]
fn read<const SIZE: usize>(memory: &[u8], at: usize) -> Result<[u8; SIZE]> {
    match memory.get(at..).and_then(|memory| memory.first_chunk()) {
        Some(bytes) => Ok(*bytes),
        None => bail!("pointer out of bounds of memory"),
    }
}

#[inline]
fn read_tag(memory: &[u8], at: usize, tag: Tag) -> Result<u32> {
    Ok(match tag {
        Tag::One => read::<1>(memory, at)?[0].into(),
        Tag::Two => u16::from_le_bytes(read(memory, at)?).into(),
        Tag::Four => u32::from_le_bytes(read(memory, at)?),
    })
}

/// A value without pointers and handles.
fn solid(memory: &[u8], node: &Node, at: usize, out: &mut Vec<u8>) -> Result<()> {
    match &node.op {
        Op::Bool => out.push(u8::from(read::<1>(memory, at)?[0] != 0)),
        Op::S8 | Op::U8 => out.push(read::<1>(memory, at)?[0]),
        Op::S16 => put_s64(out, i16::from_le_bytes(read(memory, at)?).into()),
        Op::U16 => put_u32(out, u16::from_le_bytes(read(memory, at)?).into()),
        Op::S32 => put_s64(out, i32::from_le_bytes(read(memory, at)?).into()),
        Op::U32 => put_u32(out, u32::from_le_bytes(read(memory, at)?)),
        Op::S64 => put_s64(out, i64::from_le_bytes(read(memory, at)?)),
        Op::U64 => put_u64(out, u64::from_le_bytes(read(memory, at)?)),
        Op::F32 => out.extend_from_slice(&read::<4>(memory, at)?),
        Op::F64 => out.extend_from_slice(&read::<8>(memory, at)?),
        Op::Char => put_char(out, u32::from_le_bytes(read(memory, at)?))?,
        Op::Fixed(element, count) => {
            for index in 0..*count as usize {
                solid(memory, element, at + index * element.size as usize, out)?;
            }
        }
        Op::Fields(fields) => {
            for field in fields.iter() {
                solid(memory, &field.node, at + field.offset as usize, out)?;
            }
        }
        Op::Variant(variant) => {
            let case = read_tag(memory, at, variant.tag)?;
            if let Some(payload) = put_case(out, case, &variant.cases)? {
                solid(memory, payload, at + variant.payload as usize, out)?;
            }
        }
        Op::Enum { count, tag } => put_enum(out, read_tag(memory, at, *tag)?, *count)?,
        Op::Flags { count } => {
            let length = count.div_ceil(8) as usize;
            let Some(bytes) = memory.get(at..).and_then(|memory| memory.get(..length)) else {
                bail!("pointer out of bounds of memory");
            };
            let start = out.len();
            out.extend_from_slice(bytes);
            trim_flags(out, start, *count);
        }
        Op::String | Op::List(_) | Op::Own(_) | Op::Borrow(_) | Op::Stream(..) | Op::Future(..) => {
            bail!("not a solid type")
        }
    }
    Ok(())
}

fn put_char(out: &mut Vec<u8>, code: u32) -> Result<()> {
    let Some(char) = char::from_u32(code) else {
        bail!("{code:#x} is not a char");
    };
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

fn put_enum(out: &mut Vec<u8>, case: u32, count: u32) -> Result<()> {
    if case >= count {
        bail!("discriminant {case} out of range [0..{count})");
    }
    put_u32(out, case);
    Ok(())
}

/// The bit of an option or a result and the number of a variant's case are the same byte.
#[inline]
fn put_case<'n>(
    out: &mut Vec<u8>,
    case: u32,
    cases: &'n [Option<Node>],
) -> Result<Option<&'n Node>> {
    let Some(payload) = cases.get(case as usize) else {
        bail!("discriminant {case} out of range [0..{})", cases.len());
    };
    put_u32(out, case);
    Ok(payload.as_ref())
}

/// Leaves ceil(count / 8) bytes from `start` on, with no bit set above the last flag.
fn trim_flags(out: &mut Vec<u8>, start: usize, count: u32) {
    out.truncate(start + count.div_ceil(8) as usize);
    if !count.is_multiple_of(8)
        && let Some(last) = out[start..].last_mut()
    {
        *last &= (1 << (count % 8)) - 1;
    }
}
