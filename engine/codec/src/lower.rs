//! From bytes to the guest. The bytes may come from a peer, a recording or a provider: every count
//! is held against the bytes left before anything is multiplied or allocated. The memory written to
//! is what Wasmtime or the guest's own allocator gave, checked by Wasmtime and again here.

use crate::bytes::{Reader, copy};
use crate::item::Handle;
use crate::lift::by_number;
use crate::plan::{Node, Op, Payload, Tag};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{InterfaceType, LowerContext};
use wasmtime::component::Lower;
use wasmtime::{Result, ValRaw, bail};

/// One value on its way to the guest.
pub(crate) struct Lowerer<'c, 'a, T: 'static> {
    cx: &'c mut LowerContext<'a, T>,
    memory: Memory,
    bytes: Reader<'c>,
    handles: &'c mut dyn Iterator<Item = &'c Handle>,
}

/// The guest's memory, looked up once and again whenever the guest has run: only it can move it.
struct Memory(Option<NonNull<[u8]>>);

impl Memory {
    #[inline]
    fn get<T>(&mut self, cx: &mut LowerContext<'_, T>) -> &mut [u8] {
        let mut memory = *self.0.get_or_insert_with(|| NonNull::from(cx.as_slice_mut()));
        // SAFETY: the memory was `cx`'s a moment ago, and what lets the guest run in between
        // forgets it. `cx` is what gives access to it, and is borrowed for as long as we are here.
        unsafe { memory.as_mut() }
    }
}

/// The longest string Wasmtime takes.
const STRING_BYTES_MAX: usize = (1 << 31) - 1;

/// Where the core values of a value go.
pub(crate) struct Flats<'d> {
    slots: &'d mut [MaybeUninit<ValRaw>],
    at: usize,
}

impl<'d> Flats<'d> {
    pub fn new(slots: &'d mut [MaybeUninit<ValRaw>]) -> Flats<'d> {
        Flats { slots, at: 0 }
    }
    /// Every value is a whole 64 bits, zeros above: a case may be narrower than its slot.
    #[inline]
    pub fn put(&mut self, value: ValRaw) -> Result<()> {
        let Some(slot) = self.slots.get_mut(self.at) else {
            bail!("more core values than the function has");
        };
        slot.write(value);
        self.at += 1;
        Ok(())
    }
    pub fn fill_to(&mut self, end: usize) -> Result<()> {
        while self.at < end {
            self.put(ValRaw::u64(0))?;
        }
        Ok(())
    }
}

impl<'c, 'a, T: 'static> Lowerer<'c, 'a, T> {
    pub fn new(
        cx: &'c mut LowerContext<'a, T>,
        bytes: &'c [u8],
        handles: &'c mut dyn Iterator<Item = &'c Handle>,
    ) -> Self {
        Lowerer { cx, memory: Memory(None), bytes: Reader::new(bytes), handles }
    }

    pub fn finish(self) -> Result<()> {
        if self.handles.next().is_some() {
            bail!("more handles than the value has");
        }
        self.bytes.finish()
    }

    /// A value into core values.
    pub fn flat(&mut self, node: &Node, out: &mut Flats<'_>) -> Result<()> {
        match &node.op {
            Op::Bool => out.put(ValRaw::u32(self.bytes.bit()?.into())),
            Op::U8 => out.put(ValRaw::u32(self.bytes.byte()?.into())),
            Op::S8 => out.put(ValRaw::i32((self.bytes.byte()? as i8).into())),
            Op::S16 => out.put(ValRaw::i32(self.bytes.signed(16)? as i32)),
            Op::U16 => out.put(ValRaw::u32(self.bytes.unsigned(16)? as u32)),
            Op::S32 => out.put(ValRaw::i32(self.bytes.signed(32)? as i32)),
            Op::U32 => out.put(ValRaw::u32(self.bytes.u32()?)),
            Op::S64 => out.put(ValRaw::i64(self.bytes.signed(64)?)),
            Op::U64 => out.put(ValRaw::u64(self.bytes.unsigned(64)?)),
            Op::F32 => out.put(ValRaw::f32(u32::from_le_bytes(self.bytes.array()?))),
            Op::F64 => out.put(ValRaw::u64(u64::from_le_bytes(self.bytes.array()?))),
            Op::Char => out.put(ValRaw::u32(self.bytes.char()?.into())),
            Op::String => {
                let (pointer, length) = self.string()?;
                out.put(ValRaw::u32(pointer))?;
                out.put(ValRaw::u32(length))
            }
            Op::List(element) => {
                let (pointer, length) = self.list(element)?;
                out.put(ValRaw::u32(pointer))?;
                out.put(ValRaw::u32(length))
            }
            Op::Fixed(element, count) => (0..*count).try_for_each(|_| self.flat(element, out)),
            Op::Fields(fields) => fields.iter().try_for_each(|field| self.flat(&field.node, out)),
            Op::Variant(variant) => {
                let end = out.at + usize::from(node.flat);
                let (case, payload) = take_case(&mut self.bytes, variant.bit, &variant.cases)?;
                out.put(ValRaw::u32(case))?;
                if let Some(payload) = payload {
                    self.flat(payload, out)?;
                }
                out.fill_to(end)
            }
            Op::Enum { count, .. } => out.put(ValRaw::u32(take_enum(&mut self.bytes, *count)?)),
            Op::Flags { count } => {
                for chunk in take_flags(&mut self.bytes, *count)?.chunks(4) {
                    let mut word = [0; 4];
                    word[..chunk.len()].copy_from_slice(chunk);
                    out.put(ValRaw::u32(u32::from_le_bytes(word)))?;
                }
                Ok(())
            }
            Op::Own(_) | Op::Borrow(_) | Op::Stream(..) | Op::Future(..) => {
                let index = self.handle(&node.op)?;
                out.put(ValRaw::u32(index))
            }
        }
    }

    /// A value into memory.
    pub fn store(&mut self, node: &Node, at: usize) -> Result<()> {
        if node.solid {
            return solid(self.memory.get(self.cx), node, at, &mut self.bytes);
        }
        match &node.op {
            Op::String => {
                let pair = self.string()?;
                self.store_pair(pair, at)
            }
            Op::List(element) => {
                let pair = self.list(element)?;
                self.store_pair(pair, at)
            }
            Op::Fixed(element, count) => (0..*count as usize)
                .try_for_each(|index| self.store(element, at + index * element.size as usize)),
            Op::Fields(fields) => fields
                .iter()
                .try_for_each(|field| self.store(&field.node, at + field.offset as usize)),
            Op::Variant(variant) => {
                let (case, payload) = take_case(&mut self.bytes, variant.bit, &variant.cases)?;
                write_tag(self.memory.get(self.cx), at, variant.tag, case)?;
                match payload {
                    Some(payload) => self.store(payload, at + variant.payload as usize),
                    None => Ok(()),
                }
            }
            op => {
                let index = self.handle(op)?;
                write(self.memory.get(self.cx), at, index.to_le_bytes())
            }
        }
    }

    #[inline]
    fn store_pair(&mut self, (pointer, length): (u32, u32), at: usize) -> Result<()> {
        let pair = u64::from(pointer) | u64::from(length) << 32;
        write(self.memory.get(self.cx), at, pair.to_le_bytes())
    }

    #[inline]
    fn realloc(&mut self, align: u32, length: usize) -> Result<usize> {
        self.memory = Memory(None);
        self.cx.realloc(0, 0, align, length)
    }

    fn string(&mut self) -> Result<(u32, u32)> {
        let text = self.bytes.string()?;
        if self.cx.options().string_encoding != StringEncoding::Utf8 {
            self.memory = Memory(None);
            let mut pair = MaybeUninit::<[ValRaw; 2]>::uninit();
            text.linear_lower_to_flat(self.cx, InterfaceType::String, &mut pair)?;
            // SAFETY: lowering to flat initialises all of its target.
            let [pointer, length] = unsafe { pair.assume_init() };
            return Ok((pointer.get_u32(), length.get_u32()));
        }
        if text.len() > STRING_BYTES_MAX {
            bail!("string of {} bytes is too long", text.len());
        }
        let pointer = self.realloc(1, text.len())?;
        let memory = self.memory.get(self.cx).get_mut(pointer..);
        let Some(target) = memory.and_then(|memory| memory.get_mut(..text.len())) else {
            bail!("string out of bounds of memory");
        };
        copy(target, text.as_bytes());
        Ok((u32::try_from(pointer)?, text.len() as u32))
    }

    fn list(&mut self, element: &Node) -> Result<(u32, u32)> {
        let count = self.bytes.count(element.least)?;
        let Ok(length) = u32::try_from(count as u64 * u64::from(element.size)) else {
            bail!("list of {count} elements is larger than a memory");
        };
        let size = element.size as usize;
        let pointer = self.realloc(element.align, length as usize)?;
        if element.solid {
            let memory = self.memory.get(self.cx).get_mut(pointer..);
            let Some(target) = memory.and_then(|memory| memory.get_mut(..length as usize)) else {
                bail!("list out of bounds of memory");
            };
            let bytes = &mut self.bytes;
            match element.op {
                Op::U8 | Op::S8 | Op::F32 | Op::F64 => {
                    copy(target, bytes.take(length as usize)?);
                }
                Op::U32 => {
                    for number in target.as_chunks_mut::<4>().0 {
                        *number = bytes.u32()?.to_le_bytes();
                    }
                }
                _ => {
                    for index in 0..count {
                        solid(target, element, index * size, bytes)?;
                    }
                }
            }
        } else {
            for index in 0..count {
                self.store(element, pointer + index * size)?;
            }
        }
        Ok((u32::try_from(pointer)?, count as u32))
    }

    /// The guest's index for a handle, new to it.
    fn handle(&mut self, op: &Op) -> Result<u32> {
        let number = self.bytes.u32()?;
        let ty = match *op {
            Op::Own(table) if by_number(&self.cx.instance_type(), table) => {
                return self.cx.guest_resource_lower_own(table, number);
            }
            Op::Borrow(table) if by_number(&self.cx.instance_type(), table) => {
                return self.cx.guest_resource_lower_borrow(table, number);
            }
            Op::Own(table) => InterfaceType::Own(table),
            Op::Borrow(table) => InterfaceType::Borrow(table),
            Op::Stream(table, _) => InterfaceType::Stream(table),
            Op::Future(table, _) => InterfaceType::Future(table),
            _ => bail!("not a handle"),
        };
        let Some(handle) = self.handles.next() else {
            bail!("handle {number} has nothing beside the bytes");
        };
        // None of these runs the guest.
        let mut raw = MaybeUninit::<ValRaw>::uninit();
        match (handle, op) {
            (Handle::Resource(resource), Op::Own(_) | Op::Borrow(_)) => {
                resource.linear_lower_to_flat(self.cx, ty, &mut raw)?;
            }
            (Handle::StreamU8(stream), Op::Stream(_, Payload::Bytes)) => {
                stream.linear_lower_to_flat(self.cx, ty, &mut raw)?;
            }
            (Handle::Stream(stream), Op::Stream(_, Payload::Value | Payload::Handles)) => {
                stream.linear_lower_to_flat(self.cx, ty, &mut raw)?;
            }
            (Handle::StreamUnit(stream), Op::Stream(_, Payload::Unit)) => {
                stream.linear_lower_to_flat(self.cx, ty, &mut raw)?;
            }
            (Handle::Future(future), Op::Future(_, Payload::Value | Payload::Handles)) => {
                future.linear_lower_to_flat(self.cx, ty, &mut raw)?;
            }
            (Handle::FutureUnit(future), Op::Future(_, Payload::Unit)) => {
                future.linear_lower_to_flat(self.cx, ty, &mut raw)?;
            }
            (handle, _) => bail!("handle {number} is of another kind: {handle:?}"),
        }
        // SAFETY: lowering to flat initialises its target.
        Ok(unsafe { raw.assume_init() }.get_u32())
    }
}

#[inline]
fn write<const SIZE: usize>(memory: &mut [u8], at: usize, bytes: [u8; SIZE]) -> Result<()> {
    match memory.get_mut(at..).and_then(|memory| memory.first_chunk_mut()) {
        Some(target) => {
            *target = bytes;
            Ok(())
        }
        None => bail!("pointer out of bounds of memory"),
    }
}

#[inline]
fn write_tag(memory: &mut [u8], at: usize, tag: Tag, case: u32) -> Result<()> {
    match tag {
        Tag::One => write(memory, at, [case as u8]),
        Tag::Two => write(memory, at, (case as u16).to_le_bytes()),
        Tag::Four => write(memory, at, case.to_le_bytes()),
    }
}

/// A value without pointers and handles.
fn solid(memory: &mut [u8], node: &Node, at: usize, bytes: &mut Reader<'_>) -> Result<()> {
    match &node.op {
        Op::Bool => write(memory, at, [bytes.bit()?]),
        Op::U8 | Op::S8 => write(memory, at, [bytes.byte()?]),
        Op::S16 => write(memory, at, (bytes.signed(16)? as i16).to_le_bytes()),
        Op::U16 => write(memory, at, (bytes.unsigned(16)? as u16).to_le_bytes()),
        Op::S32 => write(memory, at, (bytes.signed(32)? as i32).to_le_bytes()),
        Op::U32 => write(memory, at, bytes.u32()?.to_le_bytes()),
        Op::S64 => write(memory, at, bytes.signed(64)?.to_le_bytes()),
        Op::U64 => write(memory, at, bytes.unsigned(64)?.to_le_bytes()),
        Op::F32 => write(memory, at, bytes.array::<4>()?),
        Op::F64 => write(memory, at, bytes.array::<8>()?),
        Op::Char => write(memory, at, u32::from(bytes.char()?).to_le_bytes()),
        Op::Fixed(element, count) => (0..*count as usize).try_for_each(|index| {
            solid(memory, element, at + index * element.size as usize, bytes)
        }),
        Op::Fields(fields) => fields
            .iter()
            .try_for_each(|field| solid(memory, &field.node, at + field.offset as usize, bytes)),
        Op::Variant(variant) => {
            let (case, payload) = take_case(bytes, variant.bit, &variant.cases)?;
            write_tag(memory, at, variant.tag, case)?;
            match payload {
                Some(payload) => solid(memory, payload, at + variant.payload as usize, bytes),
                None => Ok(()),
            }
        }
        Op::Enum { count, tag } => write_tag(memory, at, *tag, take_enum(bytes, *count)?),
        Op::Flags { count } => {
            let flags = take_flags(bytes, *count)?;
            let Some(target) = memory.get_mut(at..).and_then(|m| m.get_mut(..node.size as usize))
            else {
                bail!("pointer out of bounds of memory");
            };
            target.fill(0);
            target[..flags.len()].copy_from_slice(flags);
            Ok(())
        }
        Op::String | Op::List(_) | Op::Own(_) | Op::Borrow(_) | Op::Stream(..) | Op::Future(..) => {
            bail!("not a solid type")
        }
    }
}

#[inline]
pub(crate) fn take_case<'n>(
    bytes: &mut Reader<'_>,
    bit: bool,
    cases: &'n [Option<Node>],
) -> Result<(u32, Option<&'n Node>)> {
    let case = if bit { bytes.bit()?.into() } else { bytes.u32()? };
    match cases.get(case as usize) {
        Some(payload) => Ok((case, payload.as_ref())),
        None => bail!("case {case} of a variant with {}", cases.len()),
    }
}

pub(crate) fn take_enum(bytes: &mut Reader<'_>, count: u32) -> Result<u32> {
    match bytes.u32()? {
        case if case < count => Ok(case),
        case => bail!("case {case} of an enum with {count}"),
    }
}

pub(crate) fn take_flags<'b>(bytes: &mut Reader<'b>, count: u32) -> Result<&'b [u8]> {
    let flags = bytes.take(count.div_ceil(8) as usize)?;
    if !count.is_multiple_of(8) && flags.last().is_some_and(|last| last >> (count % 8) != 0) {
        bail!("flags set beyond the {count} there are");
    }
    Ok(flags)
}
