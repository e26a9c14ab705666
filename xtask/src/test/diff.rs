//! How two texts differ, by lines. Pure.

/// How many lines that are the same are shown before and after one that is not.
const CONTEXT: usize = 2;

/// The lines that differ, with `-` for those of the first and `+` for those of the second, and a few
/// beside them.
pub fn diff(first: &str, second: &str) -> String {
    let marked = marked(
        &first.lines().collect::<Vec<_>>(),
        &second.lines().collect::<Vec<_>>(),
    );
    let is_near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        let to = (at + CONTEXT + 1).min(marked.len());
        marked[from..to].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut out = String::new();
    let mut is_skipping = false;
    for (at, (mark, line)) in marked.iter().enumerate() {
        if is_near(at) {
            out.push_str(&format!("{mark} {line}\n"));
        } else if !is_skipping {
            out.push_str("  ...\n");
        }
        is_skipping = !is_near(at);
    }
    out
}

/// Every line, and whose it is, by the longest common subsequence.
fn marked<'a>(first: &[&'a str], second: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut common = vec![vec![0_usize; second.len() + 1]; first.len() + 1];
    for i in (0..first.len()).rev() {
        for j in (0..second.len()).rev() {
            common[i][j] = if first[i] == second[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < first.len() || j < second.len() {
        if i < first.len() && j < second.len() && first[i] == second[j] {
            out.push((' ', first[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == second.len() || (i < first.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.push(('-', first[i]));
            i += 1;
        } else {
            out.push(('+', second[j]));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
