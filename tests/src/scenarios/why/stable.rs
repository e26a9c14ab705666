//! Text of the tool with placeholders for what is another at each run. Pure.

/// Puts placeholders in.
pub fn stable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_within = out.ends_with(|c: char| c.is_ascii_alphanumeric());
        let found = if is_within { None } else { placeholder(rest) };
        match found {
            Some((length, put)) => {
                out.push_str(put);
                rest = &rest[length..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    after_words(&out)
}

/// What stands at the beginning of the text, its length, and what is put in its place.
fn placeholder(text: &str) -> Option<(usize, &'static str)> {
    // As long as what it stands for, where columns follow.
    if has_form(text, "00:00:00.000000") {
        return Some((15, "<time>         "));
    }
    if has_form(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") {
        return Some((36, "<uuid>"));
    }
    let word = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .map_or(text, |end| &text[..end]);
    let is_hex = word
        .bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    match word.len() {
        64 if is_hex => Some((64, "<id>")),
        12 if is_hex => Some((12, "<id>")),
        10 if is_number && word.starts_with("40265") => Some((10, "<netns>")),
        _ => None,
    }
}

/// Whether the text begins as the form does: `0` is a digit, `x` a hexadecimal one.
fn has_form(text: &str, form: &str) -> bool {
    let Some(start) = text.get(..form.len()) else {
        return false;
    };
    let ends = !text[form.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
    ends && start
        .bytes()
        .zip(form.bytes())
        .all(|(found, form)| match form {
            b'0' => found.is_ascii_digit(),
            b'x' => found.is_ascii_hexdigit(),
            other => found == other,
        })
}

/// Numbers after the words that tell what they are.
fn after_words(text: &str) -> String {
    let pids = after(text, "[", "]", "<pid>");
    let pids = after(&pids, "pid ", "", "<pid>");
    let lost = after(&pids, "lost ", " events", "<count>");
    let left_out = after(&lost, "", " earlier writes", "<count>");
    let namespaces = after(&left_out, "", " namespaces in", "<count>");
    let processes = after(&namespaces, "  ", ", pid <pid> first", "<count>");
    let seconds = after(&processes, " in ", " s (", "<time>");
    after(&seconds, "(", " ms each", "<time>")
}

/// Replaces the numbers between these two.
fn after(text: &str, before: &str, behind: &str, put: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let number = &rest[start..];
        let is_part = |c: char| c.is_ascii_digit() || c == '.';
        let end = number.find(|c: char| !is_part(c)).unwrap_or(number.len());
        let is_it = rest[..start].ends_with(before) && number[end..].starts_with(behind);
        out.push_str(&rest[..start]);
        out.push_str(if is_it { put } else { &number[..end] });
        rest = &number[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[path = "stable_tests.rs"]
mod tests;
