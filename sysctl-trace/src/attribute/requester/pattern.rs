//! Patterns of keys, as glob(7) has them: no wildcard stands for a slash. Pure.

use globset::GlobBuilder;

/// Whether a name has wildcards.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Whether a path is one that a pattern stands for.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    // Braces and doubled stars mean something to globset only.
    let mut plain = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match character {
            '{' => plain.push_str("[{]"),
            '}' => plain.push_str("[}]"),
            '*' if plain.ends_with('*') => {}
            other => plain.push(other),
        }
    }
    GlobBuilder::new(&plain)
        .literal_separator(true)
        .build()
        .is_ok_and(|glob| glob.compile_matcher().is_match(path))
}
