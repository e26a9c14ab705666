//! The page docs/keys.md and its sections, one for each kernel. Pure.

/// How the section of a kernel begins.
#[must_use]
pub fn head(kernel: &str) -> String {
    format!("## {kernel}\n\n")
}

/// A kernel's section in a page, with all lines of it.
#[must_use]
pub fn find<'a>(page: &'a str, kernel: &str) -> Option<&'a str> {
    let head = head(kernel);
    let begin = page.find(&head)?;
    let rest = &page[begin + head.len()..];
    let len = rest.find("\n## ").unwrap_or(rest.len());
    Some(&page[begin..begin + head.len() + len])
}

#[cfg(test)]
#[path = "keys_page_tests.rs"]
mod tests;
