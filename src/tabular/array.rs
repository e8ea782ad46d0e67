//! PostgreSQL's array literals (`{a,"b c",NULL}`) and JSON arrays, as lists of texts.
//!
//! One dimension only. The form is that of `array_in` and `array_out` (PostgreSQL 8.15.6, Array Input and Output
//! Syntax).

use std::iter::Peekable;
use std::str::Chars;

/// Reads a literal of one dimension; `None` within is NULL. `None` where it is no such literal.
#[must_use]
pub fn parse_array(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    if inner.trim().is_empty() {
        return Some(elements);
    }
    let mut chars = inner.chars().peekable();
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let element = if chars.next_if_eq(&'"').is_some() {
            Some(quoted(&mut chars)?)
        } else {
            let (text, null) = unquoted(&mut chars)?;
            (!null).then_some(text)
        };
        elements.push(element);
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        match chars.next() {
            None => return Some(elements),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// What follows an opening quote, up to the closing one.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
}

/// An element without quotes, up to the next comma, and whether it is NULL. White space around it is not part of it.
fn unquoted(chars: &mut Peekable<Chars<'_>>) -> Option<(String, bool)> {
    let mut text = String::new();
    let mut escaped = false;
    // Length up to the last character that is not white space.
    let mut length = 0;
    while let Some(c) = chars.next_if(|&c| c != ',') {
        match c {
            '{' | '}' | '"' => return None,
            '\\' => {
                escaped = true;
                text.push(chars.next()?);
                length = text.len();
            }
            c => {
                text.push(c);
                if !c.is_ascii_whitespace() {
                    length = text.len();
                }
            }
        }
    }
    text.truncate(length);
    if text.is_empty() {
        return None;
    }
    let null = !escaped && text.eq_ignore_ascii_case("NULL");
    Some((text, null))
}

/// Writes the literal of a list as PostgreSQL does.
#[must_use]
pub fn format_array(elements: &[Option<impl AsRef<str>>]) -> String {
    let mut out = String::from("{");
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_element(&mut out, element.as_ref().map(AsRef::as_ref));
    }
    out.push('}');
    out
}

/// Adds one element, in quotes where it needs them.
fn push_element(out: &mut String, element: Option<&str>) {
    let Some(text) = element else {
        out.push_str("NULL");
        return;
    };
    // `array_out` also counts the vertical tab as white space.
    let special = |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',' | '\u{b}') || c.is_ascii_whitespace();
    if !text.is_empty() && !text.eq_ignore_ascii_case("NULL") && !text.contains(special) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// Reads a JSON array of strings, numbers, booleans and nulls. Numbers keep their digits; booleans are `t` and `f`.
/// `None` where it is none, or holds arrays or objects.
#[must_use]
pub fn array_from_json(text: &str) -> Option<Vec<Option<String>>> {
    let elements: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).ok()?;
    let scalar = |element: &&serde_json::value::RawValue| match element.get() {
        "null" => Some(None),
        "true" => Some(Some("t".to_owned())),
        "false" => Some(Some("f".to_owned())),
        text if text.starts_with('"') => serde_json::from_str(text).ok().map(Some),
        text if text.starts_with(['[', '{']) => None,
        number => Some(Some(number.to_owned())),
    };
    elements.iter().map(scalar).collect()
}

/// Writes a list as a JSON array of strings and nulls.
#[must_use]
pub fn array_to_json(elements: &[Option<String>]) -> String {
    elements.iter().map(Option::as_deref).collect::<serde_json::Value>().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Option<String> {
        let elements = parse_array(text)?;
        Some(elements.iter().map(|e| e.as_deref().unwrap_or("∅")).collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn literals_are_read_as_postgresql_reads_them() {
        for (literal, elements) in [
            ("{}", ""),
            (" { } ", ""),
            ("{a}", "a"),
            ("{a, b ,\"c \"}", "a|b|c "),
            ("{a b,null,NULL,\"NULL\",\\null}", "a b|∅|∅|NULL|null"),
            ("{\"a\\\"b\\\\\",\"\",a\\,b}", "a\"b\\||a,b"),
            ("{é,\"x,y\"}", "é|x,y"),
        ] {
            assert_eq!(shown(literal).as_deref(), Some(elements), "{literal}");
        }
        for bad in [
            "",
            "{",
            "a,b",
            "{a,}",
            "{,a}",
            "{{a},{b}}",
            "{\"a}",
            "{\"a\"b}",
            "{a\"b\"}",
            "{a\\}",
            "[1:1]={a}",
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn json_arrays_of_scalars_are_lists_of_texts() {
        let elements = array_from_json(r#"["a\"b", 1.50, true, null, "é"]"#).unwrap();
        assert_eq!(format_array(&elements), r#"{"a\"b",1.50,t,NULL,é}"#);
        assert_eq!(array_to_json(&elements), r#"["a\"b","1.50","t",null,"é"]"#);
        for bad in ["[[1]]", "[{}]", "{}", "[1", "[1] 2", ""] {
            assert_eq!(array_from_json(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            elements in proptest::collection::vec(proptest::option::of("(null|NULL|[a,\"\\\\{} \u{b}\té]{0,5})"), 0..6)
        ) {
            prop_assert_eq!(parse_array(&format_array(&elements)), Some(elements.clone()));
            prop_assert_eq!(array_from_json(&array_to_json(&elements)), Some(elements));
        }

        #[test]
        fn never_panics(text in "[{}\\[\\]a,\"\\\\ é]{0,20}") {
            let _ = (parse_array(&text), array_from_json(&text));
        }
    }
}
