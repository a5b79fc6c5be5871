//! Types from text and values from JSON, as in tests/golden/encoding.json.

use super::Ty;
use serde_json::Value;
use wasmtime::component::Val;

pub fn ty(text: &str) -> Ty {
    let mut parser = Parser { rest: text };
    let ty = parser.ty();
    assert_eq!(parser.rest, "", "after a type: {text}");
    ty
}

struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn skip(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) {
        assert!(self.skip(token), "{token} expected at: {}", self.rest);
    }

    fn word(&mut self) -> String {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.rest = rest;
        word.to_string()
    }

    /// `item, item}` after the opening bracket.
    fn until<T>(&mut self, close: &str, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = vec![item(self)];
        while self.skip(",") {
            items.push(item(self));
        }
        self.expect(close);
        items
    }

    fn ty(&mut self) -> Ty {
        let word = self.word();
        match word.as_str() {
            "bool" => Ty::Bool,
            "s8" => Ty::S8,
            "u8" => Ty::U8,
            "s16" => Ty::S16,
            "u16" => Ty::U16,
            "s32" => Ty::S32,
            "u32" => Ty::U32,
            "s64" => Ty::S64,
            "u64" => Ty::U64,
            "f32" => Ty::F32,
            "f64" => Ty::F64,
            "char" => Ty::Char,
            "string" => Ty::String,
            "list" => {
                self.expect("<");
                let element = self.ty().into();
                let list = match self.skip(",") {
                    true => Ty::Fixed(element, self.word().parse().unwrap()),
                    false => Ty::List(element),
                };
                self.expect(">");
                list
            }
            "map" => {
                self.expect("<");
                let key = self.ty();
                self.expect(",");
                let value = self.ty();
                self.expect(">");
                Ty::Map(key.into(), value.into())
            }
            "tuple" => {
                self.expect("<");
                Ty::Tuple(self.until(">", Self::ty))
            }
            "option" => {
                self.expect("<");
                let ty = self.ty();
                self.expect(">");
                Ty::Option(ty.into())
            }
            "result" => {
                if !self.skip("<") {
                    return Ty::Result(None, None);
                }
                let mut types = self.until(">", |parser| match parser.skip("_") {
                    true => None,
                    false => Some(Box::new(parser.ty())),
                });
                types.resize(2, None);
                Ty::Result(types[0].take(), types[1].take())
            }
            "record" => {
                self.expect("{");
                Ty::Record(self.until("}", |parser| {
                    let name = parser.word();
                    parser.expect(":");
                    (name, parser.ty())
                }))
            }
            "variant" => {
                self.expect("{");
                Ty::Variant(self.until("}", |parser| {
                    let name = parser.word();
                    let payload = parser.skip("(").then(|| {
                        let ty = parser.ty();
                        parser.expect(")");
                        ty
                    });
                    (name, payload)
                }))
            }
            "enum" => {
                self.expect("{");
                Ty::Enum(self.until("}", Self::word))
            }
            "flags" => {
                self.expect("{");
                Ty::Flags(self.until("}", Self::word))
            }
            other => panic!("no type: {other}"),
        }
    }
}

fn float(json: &Value) -> f64 {
    match json.as_str() {
        Some(text) => text.parse().unwrap(),
        None => json.as_f64().unwrap(),
    }
}

/// The one key and value of an object.
fn only(json: &Value) -> (&String, &Value) {
    let object = json.as_object().unwrap();
    assert_eq!(object.len(), 1);
    object.iter().next().unwrap()
}

pub fn value(of: &Ty, json: &Value) -> Val {
    let signed = || json.as_i64().unwrap();
    let unsigned = || json.as_u64().unwrap();
    let text = || json.as_str().unwrap().to_string();
    let items = || json.as_array().unwrap().iter();
    let boxed = |ty: &Option<Box<Ty>>, json| ty.as_ref().map(|ty| Box::new(value(ty, json)));
    match of {
        Ty::Bool => Val::Bool(json.as_bool().unwrap()),
        Ty::S8 => Val::S8(signed().try_into().unwrap()),
        Ty::U8 => Val::U8(unsigned().try_into().unwrap()),
        Ty::S16 => Val::S16(signed().try_into().unwrap()),
        Ty::U16 => Val::U16(unsigned().try_into().unwrap()),
        Ty::S32 => Val::S32(signed().try_into().unwrap()),
        Ty::U32 => Val::U32(unsigned().try_into().unwrap()),
        Ty::S64 => Val::S64(signed()),
        Ty::U64 => Val::U64(unsigned()),
        Ty::F32 => Val::Float32(float(json) as f32),
        Ty::F64 => Val::Float64(float(json)),
        Ty::Char => Val::Char(text().parse().unwrap()),
        Ty::String => Val::String(text()),
        Ty::List(ty) => Val::List(items().map(|json| value(ty, json)).collect()),
        Ty::Fixed(ty, _) => Val::FixedLengthList(items().map(|json| value(ty, json)).collect()),
        Ty::Map(key, ty) => {
            Val::Map(items().map(|pair| (value(key, &pair[0]), value(ty, &pair[1]))).collect())
        }
        Ty::Tuple(types) => {
            Val::Tuple(types.iter().zip(items()).map(|(ty, json)| value(ty, json)).collect())
        }
        Ty::Record(fields) => Val::Record(
            fields.iter().map(|(name, ty)| (name.clone(), value(ty, &json[name]))).collect(),
        ),
        Ty::Variant(_) if json.is_string() => Val::Variant(text(), None),
        Ty::Variant(cases) => {
            let (case, payload) = only(json);
            let ty = cases.iter().find(|(name, _)| name == case).unwrap().1.as_ref().unwrap();
            Val::Variant(case.clone(), Some(value(ty, payload).into()))
        }
        Ty::Enum(_) => Val::Enum(text()),
        Ty::Option(_) if json.is_null() => Val::Option(None),
        Ty::Option(ty) => Val::Option(Some(value(ty, only(json).1).into())),
        Ty::Result(ok, err) => match only(json) {
            (name, json) if name == "ok" => Val::Result(Ok(boxed(ok, json))),
            (_, json) => Val::Result(Err(boxed(err, json))),
        },
        Ty::Flags(_) => Val::Flags(items().map(|name| name.as_str().unwrap().into()).collect()),
    }
}

pub fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
