//! What in a request should not be shown around: tokens, keys, passwords, the values of secrets.
//!
//! Only that it is there is told, never what it is. Bodies are searched as the raw bytes they are: what
//! is looked for has no character that JSON escapes.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memmem, memrchr};

use super::marks::{Mark, Marks};
use crate::event::{Event, RawJson, Text};

/// Marks what is sensitive in a request.
pub(super) fn marks(event: &Event<'_>, marks: &mut Marks) {
    if let Some(uri) = event.request_uri {
        in_uri(uri, event, marks);
    }
    for body in [event.request_object, event.response_object].into_iter().flatten() {
        in_body(body.0, marks);
    }
    by_resource(event, marks);
}

fn in_uri(uri: Text<'_>, event: &Event<'_>, marks: &mut Marks) {
    marks.set(Mark::TokenInUri, web_token(uri.raw()));
    if memchr(b'?', uri.raw()).is_some() {
        let uri = uri.decode();
        let query = uri.splitn(2, |&byte| byte == b'?').nth(1).unwrap_or_default();
        marks.set(Mark::TokenInUri, query.split(|b| matches!(b, b'&' | b';')).any(is_token_parameter));
        let exec = event.object_ref.and_then(|object| object.subresource).is_some_and(|sub| sub.eq_bytes(b"exec"));
        marks.set(Mark::ExecArguments, exec && command_names_secret(query));
        marks.set(Mark::BasicAuth, has_password(&decoded(query)));
    }
}

fn is_token_parameter(parameter: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [b"token=", b"access_token=", b"id_token=", b"refresh_token="];
    NAMES.iter().any(|name| parameter.len() > name.len() && parameter.starts_with(name))
}

/// Whether a command of exec names what is better not written down.
fn command_names_secret(query: &[u8]) -> bool {
    const WORDS: [&[u8]; 13] = [
        b"password",
        b"passwd",
        b"passphrase",
        b"secret",
        b"token",
        b"credential",
        b"apikey",
        b"api_key",
        b"api-key",
        b"access_key",
        b"access-key",
        b"private_key",
        b"private-key",
    ];
    let commands = query.split(|&byte| byte == b'&').filter_map(|parameter| parameter.strip_prefix(b"command="));
    commands.map(decoded).any(|command| {
        let command = command.to_ascii_lowercase();
        WORDS.iter().any(|word| memmem::find(&command, word).is_some())
    })
}

/// A query's bytes without percent encoding.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|&digit| (digit as char).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    Cow::Owned(out)
}

static WEB_TOKEN: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("eyJ"));
static PEM: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("-----BEGIN "));
static CLOUD_KEY: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("AKIA"));
static URL: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("://"));

fn in_body(body: &[u8], marks: &mut Marks) {
    marks.set(Mark::TokenInBody, web_token(body));
    marks.set(Mark::PrivateKey, private_key(body));
    marks.set(Mark::CloudKey, cloud_key(body));
    marks.set(Mark::BasicAuth, has_password(body));
}

/// Whether there is a JSON web token: three parts in base64url of which two are JSON objects. What has
/// been looked through is not looked through again, so that no body takes for ever.
fn web_token(text: &[u8]) -> bool {
    let run = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| !is_base64url(byte)).unwrap_or(rest.len())
    };
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| WEB_TOKEN.find(rest)) {
        let header = run(from + at);
        if text.get(header..).is_some_and(|rest| rest.starts_with(b".eyJ")) {
            let payload = run(header + 1);
            if text.get(payload) == Some(&b'.') && run(payload + 1) - payload > 16 {
                return true;
            }
        }
        from = header;
    }
    false
}

const fn is_base64url(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn private_key(body: &[u8]) -> bool {
    PEM.find_iter(body).any(|at| {
        let label = body.get(at..(at + 48).min(body.len())).unwrap_or_default();
        memmem::find(label, b"PRIVATE KEY-----").is_some()
    })
}

fn cloud_key(body: &[u8]) -> bool {
    CLOUD_KEY.find_iter(body).any(|at| {
        let id = body.get(at + 4..at + 20).unwrap_or_default();
        let alone =
            |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/'));
        id.len() == 16
            && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && alone(at.checked_sub(1).and_then(|before| body.get(before)))
            && alone(body.get(at + 20))
    })
}

/// Whether a URL holds `user:password@`.
fn has_password(text: &[u8]) -> bool {
    URL.find_iter(text).any(|at| {
        let rest = text.get(at + 3..).unwrap_or_default();
        let rest = rest.get(..512).unwrap_or(rest);
        let end = rest.iter().position(|byte| !is_of_authority(*byte)).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        let login = memrchr(b'@', authority).and_then(|at| authority.get(..at)).unwrap_or_default();
        memchr(b':', login).is_some_and(|colon| colon > 0 && colon + 1 < login.len())
    })
}

const fn is_of_authority(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'/' | b'"' | b'\\' | b'?' | b'#' | b'<' | b'>' | b'{' | b'$' | b',')
}

fn by_resource(event: &Event<'_>, marks: &mut Marks) {
    let Some(object) = event.object_ref else { return };
    let is = |text: Option<Text<'_>>, wanted: &[u8]| text.is_some_and(|text| text.eq_bytes(wanted));
    let core = object.api_group.is_none_or(Text::is_empty);
    let bodies = || [event.request_object, event.response_object].into_iter().flatten();
    if core && is(object.resource, b"secrets") {
        marks.set(Mark::SecretData, bodies().any(|body| has_data(body.0)));
    } else if core && is(object.resource, b"configmaps") {
        marks.set(Mark::ConfigMapData, bodies().any(|body| has_data(body.0)));
    } else if core && is(object.resource, b"serviceaccounts") && is(object.subresource, b"token") {
        marks.set(Mark::ServiceAccountToken, event.response_object.is_some_and(has_token));
    } else if is(object.resource, b"tokenreviews") {
        marks.set(Mark::ReviewedToken, bodies().any(has_token));
    } else if is(object.resource, b"oauthaccesstokens") || is(object.resource, b"oauthauthorizetokens") {
        // Since OpenShift 4.6 the name is a hash of the token and harmless.
        let is_token = |name: Text<'_>| !name.is_empty() && !name.decode().starts_with(b"sha256~");
        marks.set(Mark::OAuthTokenName, object.name.is_some_and(is_token));
    }
}

/// Whether `data` or the like has members, at any depth: lists hold objects, and patches parts of them.
fn has_data(body: &[u8]) -> bool {
    const KEYS: [&[u8]; 3] = [b"\"data\":", b"\"stringData\":", b"\"binaryData\":"];
    KEYS.iter().any(|key| {
        memmem::find_iter(body, key).any(|at| {
            let value = body.get(at + key.len()..).unwrap_or_default().trim_ascii_start();
            value.strip_prefix(b"{").is_some_and(|members| members.trim_ascii_start().starts_with(b"\""))
        })
    })
}

fn has_token(body: RawJson<'_>) -> bool {
    memmem::find_iter(body.0, b"\"token\":").any(|at| {
        let value = body.0.get(at + 8..).unwrap_or_default().trim_ascii_start();
        value.starts_with(b"\"") && !value.starts_with(b"\"\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Format, ObjectReference};

    fn found(uri: &str, resource: &str, body: &str) -> Vec<Mark> {
        let mut event = Event::empty(b"", Format::V1);
        event.request_uri = Some(Text::from(uri));
        event.response_object = (!body.is_empty()).then_some(RawJson(body.as_bytes()));
        let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(r, s)| (r, Some(s)));
        event.object_ref = Some(ObjectReference {
            resource: Some(Text::from(resource)),
            subresource: subresource.map(Text::from),
            name: Some(Text::from("abcdef")),
            ..ObjectReference::default()
        });
        let mut set = Marks::default();
        marks(&event, &mut set);
        use Mark::*;
        let all = [
            TokenInUri,
            TokenInBody,
            ServiceAccountToken,
            ReviewedToken,
            SecretData,
            ConfigMapData,
            ExecArguments,
            OAuthTokenName,
            BasicAuth,
            PrivateKey,
            CloudKey,
        ];
        all.into_iter().filter(|&mark| set.has(mark)).collect()
    }

    /// Not a token: the parts say that they are made up.
    const TOKEN: &str = "eyJmYWtlIjoidGVzdCJ9.eyJub3QiOiJhIHRva2VuIn0.c2lnbmF0dXJlLWlzLW1hZGUtdXA";

    #[test]
    fn tokens_in_uris() {
        assert_eq!(found("/oauth?access_token=abc", "x", ""), [Mark::TokenInUri]);
        assert_eq!(found("/api?a=1&token=abc", "x", ""), [Mark::TokenInUri]);
        assert_eq!(found(&format!("/api/v1/proxy/{TOKEN}"), "x", ""), [Mark::TokenInUri]);
        assert_eq!(found("/api/v1/pods?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ&limit=5", "pods", ""), []);
        assert_eq!(found("/api?pageToken=abc&token=", "x", ""), []);
    }

    #[test]
    fn commands_of_exec() {
        let uri = "/api/v1/namespaces/a/pods/b/exec?command=mysql&command=--pass%77ord%3Dhunter2";
        assert_eq!(found(uri, "pods/exec", ""), [Mark::ExecArguments]);
        assert_eq!(found(uri, "pods/log", ""), []);
        assert_eq!(found("/exec?command=ls&command=monkey&container=token", "pods/exec", ""), []);
    }

    #[test]
    fn bodies() {
        assert_eq!(found("/", "x", &format!("{{\"a\":\"Bearer {TOKEN}\"}}")), [Mark::TokenInBody]);
        assert_eq!(found("/", "x", r#"{"a":"eyJhIjoxfQ","b":"eyJ.eyJ.short"}"#), []);
        assert_eq!(found("/", "x", r#"{"k":"-----BEGIN RSA PRIVATE KEY-----\nMII"}"#), [Mark::PrivateKey]);
        assert_eq!(found("/", "x", r#"{"k":"-----BEGIN CERTIFICATE-----\nMII"}"#), []);
        assert_eq!(found("/", "x", r#"{"k":"AKIAIOSFODNN7EXAMPLE"}"#), [Mark::CloudKey]);
        assert_eq!(found("/", "x", r#"{"k":"xAKIAIOSFODNN7EXAMPLE","l":"AKIAIOSFODNN7EXAMPLEx"}"#), []);
        assert_eq!(found("/", "x", r#"{"u":"https://me:pass@git.example.com/x"}"#), [Mark::BasicAuth]);
        assert_eq!(found("/", "x", r#"{"u":"https://git.example.com:443/a@b","v":"ssh://git@host:22/"}"#), []);
    }

    #[test]
    fn what_the_resource_tells() {
        assert_eq!(found("/", "secrets", r#"{"items":[{"data":{"a":"eA=="}}]}"#), [Mark::SecretData]);
        assert_eq!(found("/", "secrets", r#"{"data":{},"metadata":{}}"#), []);
        assert_eq!(found("/", "configmaps", r#"{"data": {"a":"b"}}"#), [Mark::ConfigMapData]);
        assert_eq!(found("/", "pods", r#"{"data":{"a":"b"}}"#), []);
        assert_eq!(found("/", "serviceaccounts/token", r#"{"status":{"token":"abc"}}"#), [Mark::ServiceAccountToken]);
        assert_eq!(found("/", "tokenreviews", r#"{"spec":{"token":"abc"}}"#), [Mark::ReviewedToken]);
        assert_eq!(found("/", "tokenreviews", r#"{"spec":{"token":""}}"#), []);
        assert_eq!(found("/", "oauthaccesstokens", ""), [Mark::OAuthTokenName]);
    }
}
