//! A request URI taken apart for people: its path and its query parameters, decoded.
//!
//! Lenient where [`request_info`](super::request_info) is exact: a broken escape stays as it stands, and bytes
//! that are no UTF-8 become U+FFFD, because here somebody reads them.

use super::Text;

/// A request URI, decoded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Uri {
    /// The path, as it stands.
    pub path: String,
    /// The query's parameters in their order.
    pub parameters: Vec<(String, String)>,
}

impl Uri {
    /// Takes a request URI apart.
    pub fn parse(uri: Text<'_>) -> Self {
        let whole = uri.to_str_lossy();
        let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
        let parameters = query.split('&').filter(|parameter| !parameter.is_empty()).map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (decoded(name, true), decoded(value, true))
        });
        Uri { path: path.to_owned(), parameters: parameters.collect() }
    }

    /// The values of a parameter in their order.
    pub fn values<'u>(&'u self, name: &str) -> impl Iterator<Item = &'u str> {
        self.parameters.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter, which is the one that the server takes.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next().filter(|value| !value.is_empty())
    }

    /// Whether a parameter is switched on, as the server reads it: everything but `0` and `false` is on, the
    /// empty value too.
    pub fn is_on(&self, name: &str) -> bool {
        self.values(name).next().is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// The segments of the path behind the one of that name, decoded; none if there is no such segment.
    pub fn behind(&self, segment: &str) -> Option<Vec<String>> {
        let mut segments = self.path.split('/').map(|part| decoded(part, false));
        segments.find(|part| part == segment)?;
        Some(segments.collect())
    }
}

/// The first value of a parameter of a query, or of a URI with one, decoded; empty where it has none.
pub fn parameter(uri: &str, name: &str) -> Option<String> {
    let query = uri.split_once('?').map_or(uri, |(_, query)| query);
    let value = query.split('&').find_map(|pair| {
        let rest = pair.strip_prefix(name)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('=') }
    })?;
    Some(decoded(value, true))
}

/// Resolves percent encoding, and with `plus` the spaces of queries. What is no encoding stays as it stands.
pub fn decoded(text: &str, plus: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let raw = text.as_bytes();
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        let digit = |at: usize| raw.get(at).and_then(|&byte| (byte as char).to_digit(16));
        match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) if plus => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_in_their_order() {
        let uri = Text::json(
            br"/api/v1/pods/x/exec?command=sh\u0026command=-c\u0026command=env+%7C+grep+%zz\u0026tty=true&a",
            true,
        );
        let uri = Uri::parse(uri);
        assert_eq!(uri.path, "/api/v1/pods/x/exec");
        assert_eq!(uri.values("command").collect::<Vec<_>>(), ["sh", "-c", "env | grep %zz"]);
        assert!(uri.is_on("tty") && !uri.is_on("stdin") && uri.is_on("a"));
        assert_eq!((uri.value("tty"), uri.value("a")), (Some("true"), None));
    }

    #[test]
    fn one_parameter() {
        assert_eq!(parameter("a=1&fieldManager=my%20tool+x", "fieldManager").unwrap(), "my tool x");
        assert_eq!(parameter("/x?force", "force").unwrap(), "");
        assert_eq!(parameter("/x?a=%zz%4&a=2", "a").unwrap(), "%zz%4");
        assert_eq!(parameter("/x?forced=1", "force"), None);
        assert_eq!(parameter("/api/v1/pods", "limit"), None);
    }

    #[test]
    fn the_path_behind_a_segment() {
        let uri = Uri::parse("/api/v1/namespaces/a/services/https:web:443/proxy/x%2Fy/z+1".into());
        assert_eq!(uri.behind("proxy").unwrap(), ["x/y", "z+1"]);
        assert_eq!(uri.behind("nodes"), None);
    }
}
