//! Argument vectors without what looks like a secret.

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Parts of names whose values are secrets.
const SECRET_NAMES: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "credential",
    "private-key",
];

/// Blanks the values of options and variables that are named like secrets: `--token=X`,
/// `--password X`, `DB_PASSWORD=X`, and passwords within URLs.
pub fn redact(args: Vec<String>) -> Vec<String> {
    let mut value_follows = false;
    args.into_iter()
        .map(|arg| {
            if std::mem::take(&mut value_follows) && !arg.starts_with('-') {
                return REDACTED.to_owned();
            }
            if let Some((name, _)) = arg.split_once('=') {
                return if is_secret(name) {
                    format!("{name}={REDACTED}")
                } else {
                    without_userinfo(arg)
                };
            }
            value_follows = arg.starts_with('-') && is_secret(&arg);
            without_userinfo(arg)
        })
        .collect()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// `scheme://user:password@host` without the password.
fn without_userinfo(arg: String) -> String {
    let Some((scheme, rest)) = arg.split_once("://") else {
        return arg;
    };
    let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or(rest);
    let Some((userinfo, _)) = authority.rsplit_once('@') else {
        return arg;
    };
    let Some((user, _)) = userinfo.split_once(':') else {
        return arg;
    };
    format!("{scheme}://{user}:{REDACTED}{}", &rest[userinfo.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(args: &[&str]) -> Vec<String> {
        redact(args.iter().map(|&arg| arg.to_owned()).collect())
    }

    #[test]
    fn values_named_like_secrets_are_blanked() {
        assert_eq!(
            redacted(&["a", "--token=x", "b"]),
            ["a", "--token=[redacted]", "b"]
        );
        assert_eq!(
            redacted(&["a", "--password", "x", "b"]),
            ["a", "--password", REDACTED, "b"]
        );
        assert_eq!(
            redacted(&["env", "DB_PASSWORD=x"]),
            ["env", "DB_PASSWORD=[redacted]"]
        );
        assert_eq!(
            redacted(&["curl", "https://me:pw@host/x?a@b"]),
            ["curl", "https://me:[redacted]@host/x?a@b"]
        );
    }

    #[test]
    fn all_else_stays() {
        let plain = [
            "sysctl",
            "-w",
            "net.core.somaxconn=128",
            "--password",
            "-v",
            "http://h:80/a@b",
        ];
        assert_eq!(redacted(&plain), plain);
    }
}
