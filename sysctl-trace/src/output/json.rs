//! Events as JSON, one a line (NDJSON).

use crate::{
    event::Event,
    output::{encode::Encoder, limit, text},
};

/// Turns events into lines.
#[derive(Debug, Default)]
pub struct Json {
    encoder: Encoder,
}

impl Json {
    /// Appends the line of an event.
    ///
    /// # Errors
    /// None that an event can cause; serde_json's interface has one.
    pub fn push_event(
        &mut self,
        out: &mut Vec<u8>,
        event: &Event,
    ) -> Result<(), serde_json::Error> {
        let start = out.len();
        self.encoder.push_event(out, event)?;
        if out.len() - start >= limit::LINE_BYTES {
            out.truncate(start);
            limit::push_shortened(&mut self.encoder, out, event)?;
        }
        out.push(b'\n');
        Ok(())
    }
}

/// Makes the lines from `start` on harmless for a terminal. JSON escapes the ASCII controls by
/// itself; this escapes DEL, the other controls of Unicode and what hides or reorders text. The
/// lines mean the same afterwards.
pub fn escape_for_terminal(out: &mut Vec<u8>, start: usize) {
    let harmless = |byte: &u8| byte.is_ascii() && *byte != 0x7f;
    if out[start..].iter().all(harmless) {
        return;
    }
    let lines = String::from_utf8_lossy(&out[start..]).into_owned();
    out.truncate(start);
    for char in lines.chars() {
        if char != '\x7f' && (char.is_ascii() || text::is_plain(char)) {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
