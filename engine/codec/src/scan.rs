//! Walking encoded values without a guest: to check them, and to find the handles in them.

use crate::bytes::Reader;
use crate::lower::{take_case, take_enum, take_flags};
use crate::plan::{Node, Op, Payload, Program};
use std::sync::Arc;
use wasmtime::{Result, bail};

/// What kind of handle stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandleKind {
    /// With the number of the resource in [`FuncInfo::resources`](crate::FuncInfo).
    Own(u32),
    Borrow(u32),
    Stream(Payload),
    Future(Payload),
}

/// A handle in encoded bytes: its number, and the bytes the number takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleRef {
    pub kind: HandleKind,
    pub number: u32,
    pub at: usize,
    pub length: usize,
}

/// The compiled type of a function's parameters or results.
#[derive(Clone)]
pub struct Plan {
    pub(crate) node: Node,
    /// Keeps the tables the node refers to.
    pub(crate) _program: Arc<Program>,
}

impl Plan {
    /// Whether the bytes mean the same anywhere: no handles, streams or futures can be in them.
    pub fn plain(&self) -> bool {
        self.node.plain
    }

    /// Checks that the bytes are one value of this type and no more.
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        self.scan(bytes, &mut |_| Ok(()))
    }

    /// Checks the bytes and visits each handle in them, in order.
    pub fn scan(&self, bytes: &[u8], visit: &mut dyn FnMut(HandleRef) -> Result<()>) -> Result<()> {
        let mut reader = Reader::new(bytes);
        walk(&self.node, &mut reader, visit)?;
        reader.finish()
    }
}

fn walk(
    node: &Node,
    bytes: &mut Reader<'_>,
    visit: &mut dyn FnMut(HandleRef) -> Result<()>,
) -> Result<()> {
    let kind = match &node.op {
        Op::Bool => return bytes.bit().map(|_| ()),
        Op::S8 | Op::U8 => return bytes.byte().map(|_| ()),
        Op::S16 => return bytes.signed(16).map(|_| ()),
        Op::U16 => return bytes.unsigned(16).map(|_| ()),
        Op::S32 => return bytes.signed(32).map(|_| ()),
        Op::U32 => return bytes.u32().map(|_| ()),
        Op::S64 => return bytes.signed(64).map(|_| ()),
        Op::U64 => return bytes.unsigned(64).map(|_| ()),
        Op::F32 => return bytes.array::<4>().map(|_| ()),
        Op::F64 => return bytes.array::<8>().map(|_| ()),
        Op::Char => return bytes.char().map(|_| ()),
        Op::String => return bytes.string().map(|_| ()),
        Op::List(element) => {
            let count = bytes.count(element.least)?;
            return match element.op {
                Op::U8 | Op::S8 => bytes.take(count).map(|_| ()),
                _ => (0..count).try_for_each(|_| walk(element, bytes, visit)),
            };
        }
        Op::Fixed(element, count) => {
            return (0..*count).try_for_each(|_| walk(element, bytes, visit));
        }
        Op::Fields(fields) => {
            return fields.iter().try_for_each(|field| walk(&field.node, bytes, visit));
        }
        Op::Variant(variant) => {
            return match take_case(bytes, variant.bit, &variant.cases)?.1 {
                Some(payload) => walk(payload, bytes, visit),
                None => Ok(()),
            };
        }
        Op::Enum { count, .. } => return take_enum(bytes, *count).map(|_| ()),
        Op::Flags { count } => return take_flags(bytes, *count).map(|_| ()),
        Op::Own(table) => HandleKind::Own(table.as_u32()),
        Op::Borrow(table) => HandleKind::Borrow(table.as_u32()),
        Op::Stream(_, payload) => HandleKind::Stream(*payload),
        Op::Future(_, payload) => HandleKind::Future(*payload),
    };
    let at = bytes.at();
    let number = bytes.u32()?;
    visit(HandleRef { kind, number, at, length: bytes.at() - at })
}

/// The kinds of handles that a value can have in it, those in items of streams left out.
pub(crate) fn kinds(node: &Node, found: &mut Vec<HandleKind>) -> Result<()> {
    if node.plain {
        return Ok(());
    }
    let kind = match &node.op {
        Op::List(element) | Op::Fixed(element, _) => return kinds(element, found),
        Op::Fields(fields) => {
            return fields.iter().try_for_each(|field| kinds(&field.node, found));
        }
        Op::Variant(variant) => {
            return variant.cases.iter().flatten().try_for_each(|case| kinds(case, found));
        }
        Op::Own(table) => HandleKind::Own(table.as_u32()),
        Op::Borrow(table) => HandleKind::Borrow(table.as_u32()),
        Op::Stream(_, payload) => HandleKind::Stream(*payload),
        Op::Future(_, payload) => HandleKind::Future(*payload),
        _ => return Ok(()),
    };
    if !found.contains(&kind) {
        found.push(kind);
    }
    if found.len() > 1_000 {
        bail!("more than 1000 kinds of handles in one function");
    }
    Ok(())
}
