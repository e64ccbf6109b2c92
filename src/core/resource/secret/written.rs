//! Makes JSON of a value and rewrites what is data in it.
//!
//! Serde tells the program's own words from data: fields and variants have methods of their own, and whatever comes as a
//! string or as the key of a map is data. The few fields that are strings and hold words all the same are in [`WORDS`].

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Map, Number, Value};

/// Fields of strings that hold words and digests of the program.
const WORDS: [&str; 14] = [
    "code",
    "command",
    "converged_at",
    "created_at",
    "desired_digest",
    "event",
    "expected",
    "fingerprint",
    "format",
    "kind",
    "op",
    "run",
    "started_at",
    "version",
];

/// The one number that an expression can make.
const DURATION: &str = "max_session_duration";

/// What becomes of data.
pub(super) struct Rewrite<'a> {
    /// A string or the key of a map.
    pub text: &'a dyn Fn(&str) -> String,
    /// A number, as JSON writes it; `None` leaves it.
    pub number: &'a dyn Fn(&str) -> Option<String>,
}

/// The JSON of `value` with its data rewritten.
pub(super) fn rewrite(value: &impl Serialize, how: &Rewrite<'_>) -> Value {
    // A value without a JSON form, such as a map with keys that are not strings, is not shown at all.
    value
        .serialize(Pen {
            how,
            part: Part::Data,
        })
        .unwrap_or_default()
}

/// What is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Data,
    /// A number that may be sensitive, or data.
    Number,
    /// A word of the program.
    Word,
}

#[derive(Clone, Copy)]
struct Pen<'a> {
    how: &'a Rewrite<'a>,
    part: Part,
}

impl<'a> Pen<'a> {
    /// For what is in the field of this name.
    fn field(self, name: &str) -> Self {
        let part = match name {
            _ if WORDS.contains(&name) => Part::Word,
            DURATION => Part::Number,
            _ => Part::Data,
        };
        Self { part, ..self }
    }

    fn data(self) -> Self {
        Self {
            part: Part::Data,
            ..self
        }
    }

    fn text(self, text: &str) -> String {
        if self.part == Part::Word {
            text.to_owned()
        } else {
            (self.how.text)(text)
        }
    }

    fn number(self, number: Number) -> Value {
        let hidden = (self.part == Part::Number).then(|| (self.how.number)(&number.to_string()));
        hidden
            .flatten()
            .map_or(Value::Number(number), Value::String)
    }

    fn items(self, variant: Option<&'static str>) -> Items<'a> {
        Items {
            pen: self,
            variant,
            list: Vec::new(),
        }
    }

    fn members(self, variant: Option<&'static str>) -> Members<'a> {
        Members {
            pen: self,
            variant,
            map: Map::new(),
            key: None,
        }
    }
}

fn within(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        None => value,
        Some(name) => Value::Object(std::iter::once((name.to_owned(), value)).collect()),
    }
}

impl<'a> Serializer for Pen<'a> {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    fn serialize_bool(self, value: bool) -> Result<Value, Error> {
        Ok(Value::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Value, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Value, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Value, Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Value, Error> {
        Ok(self.number(value.into()))
    }

    fn serialize_u8(self, value: u8) -> Result<Value, Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Value, Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Value, Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Value, Error> {
        Ok(self.number(value.into()))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Error> {
        Ok(Number::from_f64(value).map_or(Value::Null, |number| self.number(number)))
    }

    fn serialize_char(self, value: char) -> Result<Value, Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Value, Error> {
        Ok(Value::String(self.text(value)))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, Error> {
        serde_json::to_value(value)
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        Ok(within(Some(variant), value.serialize(self.data())?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(self.items(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Error> {
        Ok(self.items(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, Error> {
        Ok(self.items(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Error> {
        Ok(self.items(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.data().members(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, Error> {
        Ok(self.members(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'a>, Error> {
        Ok(self.members(Some(variant)))
    }
}

/// A list being written.
struct Items<'a> {
    pen: Pen<'a>,
    variant: Option<&'static str>,
    list: Vec<Value>,
}

impl Items<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.list.push(value.serialize(self.pen)?);
        Ok(())
    }

    fn done(self) -> Value {
        within(self.variant, Value::Array(self.list))
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.done())
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.done())
    }
}

impl SerializeTupleStruct for Items<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.done())
    }
}

impl SerializeTupleVariant for Items<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.done())
    }
}

/// An object being written.
struct Members<'a> {
    pen: Pen<'a>,
    variant: Option<&'static str>,
    map: Map<String, Value>,
    key: Option<String>,
}

impl Members<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        let value = value.serialize(self.pen.field(name))?;
        self.map.insert(name.to_owned(), value);
        Ok(())
    }

    fn done(self) -> Value {
        within(self.variant, Value::Object(self.map))
    }
}

impl SerializeMap for Members<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(match serde_json::to_value(key)? {
            Value::String(text) => self.pen.text(&text),
            Value::Number(number) => self.pen.text(&number.to_string()),
            Value::Bool(value) => value.to_string(),
            _ => return Err(serde::ser::Error::custom("a key must be a string")),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.key.take().unwrap_or_default();
        // In data a number is whatever an author wrote.
        let value = value.serialize(Pen {
            part: Part::Number,
            ..self.pen
        })?;
        // Two keys that are masked alike are two keys all the same.
        let mut free = key.clone();
        let mut n = 1;
        while self.map.contains_key(&free) {
            n += 1;
            free = format!("{key} {n}");
        }
        self.map.insert(free, value);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.done())
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.done())
    }
}

impl SerializeStructVariant for Members<'_> {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<Value, Error> {
        Ok(self.done())
    }
}
