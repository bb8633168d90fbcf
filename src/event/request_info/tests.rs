use super::*;

fn show(info: RequestInfo<'_>) -> String {
    let part = |text: Option<Text<'_>>| text.map_or("-".into(), |text| text.to_str_lossy().into_owned());
    let verb = info.verb.to_str_lossy().into_owned();
    if !info.is_resource {
        assert_eq!(info.object, ObjectReference::default());
        return format!("{verb} bare");
    }
    let o = info.object;
    let parts = [o.api_group, o.api_version, o.namespace, o.resource, o.subresource, o.name].map(part);
    format!("{verb} {}", parts.join(" "))
}

fn http(method: &str, uri: Text<'_>, rules: Rules) -> String {
    show(request_info(Method::Http(method.into()), uri, rules, &Bump::new()))
}

fn check(cases: &[(&str, &str, &str)], rules: Rules) {
    for (method, uri, expected) in cases {
        assert_eq!(http(method, (*uri).into(), rules), *expected, "{method} {uri}");
    }
}

/// verb group version namespace resource subresource name
const ALWAYS: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/namespaces", "list - v1 - namespaces - -"),
    ("GET", "/api/v1/namespaces/other", "get - v1 other namespaces - other"),
    ("PUT", "/api/v1/namespaces/other/finalize", "update - v1 other namespaces finalize other"),
    ("PUT", "/api/v1/namespaces/other/status", "update - v1 other namespaces status other"),
    ("GET", "/api/v1/namespaces/other/pods", "list - v1 other pods - -"),
    ("HEAD", "/api/v1/pods", "list - v1 - pods - -"),
    ("GET", "/api/v1/pods?watch=1", "watch - v1 - pods - -"),
    ("GET", "/api/v1/pods?watch=false", "list - v1 - pods - -"),
    ("GET", "/api/v1/pods?watch=0", "list - v1 - pods - -"),
    ("GET", "/api/v1/pods?watch=False&watch=1", "list - v1 - pods - -"),
    ("GET", "/api/v1/pods/foo?watch=true", "get - v1 - pods - foo"),
    ("GET", "/api/v1/watch/namespaces/other/pods", "watch - v1 other pods - -"),
    ("GET", "/api/v1/proxy/namespaces/other/pods/foo/a/b", "proxy - v1 other pods - foo"),
    ("GET", "/api/v1/namespaces/other/pods/foo/proxy/x/y", "get - v1 other pods proxy foo"),
    ("GET", "/api/v1/pods?limit=x", "list - v1 - pods - -"),
    ("POST", "/api/v1/namespaces/other/pods", "create - v1 other pods - -"),
    ("POST", "/apis/apps/v1/namespaces/n/deployments/d/scale", "create apps v1 n deployments scale d"),
    ("DELETE", "/apis/extensions/v1/namespaces/other/pods", "deletecollection extensions v1 other pods - -"),
    ("DELETE", "/api/v1/namespaces/other/pods/foo", "delete - v1 other pods - foo"),
    ("GET", "/", "get bare"),
    ("GET", "", "get bare"),
    ("GET", "/api", "get bare"),
    ("GET", "/api/v1", "get bare"),
    ("GET", "/apis/apps/v1", "get bare"),
    ("GET", "/apis/apps/v1/", "get bare"),
    ("GET", "/healthz/etcd", "get bare"),
    ("GET", "/badprefix/v/r", "get bare"),
    ("OPTIONS", "/api/v1/pods", " - v1 - pods - -"),
    ("OPTIONS", "/version", "options bare"),
    ("GET", "/api/v1/watch", "get bare"),
    ("GET", "http://10.0.0.1:8080/api/v1/nodes/n?x=/y", "get - v1 - nodes - n"),
    ("GET", "http://10.0.0.1?x=/api/v1/pods", "get bare"),
    ("GET", "/api/v1/namespaces/n/secrets/a%2Fb", "get - v1 n secrets b a"),
    ("GET", "/api/v1/namespaces/n/secrets/%E2%98%83%zz", "get - v1 n secrets - ☃%zz"),
    ("GET", "//api//v1/pods", "get - - - v1 - pods"),
    ("GET", "/apis/a/b/c/d/e/f/g/h/i/j/k/l/m", "get a b - c e d"),
];

#[test]
fn vectors_of_every_version() {
    check(ALWAYS, Rules::Modern);
    check(ALWAYS, Rules::UpTo1_7);
}

#[test]
fn vectors_that_differ_by_version() {
    let one = "/api/v1/namespaces/ns/configmaps?fieldSelector=metadata.name%3Dfoo&watch=true";
    let escaped = "/api/v1/pods?watch=&fieldSelector=metadata.name%3Da%5C%3Db";
    check(
        &[
            ("GET", "/api/v1/pods?watch=", "watch - v1 - pods - -"),
            ("GET", "/api/v1/pods?watch", "watch - v1 - pods - -"),
            ("GET", one, "watch - v1 ns configmaps - foo"),
            ("GET", escaped, "watch - v1 - pods - a=b"),
            ("GET", "/api/v1/redirect/nodes/n", "get - v1 - redirect n nodes"),
            ("GET", "/oapi/v1/builds", "get bare"),
        ],
        Rules::Modern,
    );
    check(
        &[
            ("GET", "/api/v1/pods?watch=", "list - v1 - pods - -"),
            ("GET", "/api/v1/pods?watch", "list - v1 - pods - -"),
            ("GET", one, "watch - v1 ns configmaps - -"),
            ("GET", "/api/v1/redirect/nodes/n/x", "redirect - v1 - nodes - n"),
            ("GET", "/oapi/v1/builds", "list - v1 - builds - -"),
        ],
        Rules::UpTo1_7,
    );
}

#[test]
fn a_selector_names_only_what_it_must() {
    for (query, name) in [
        ("fieldSelector=metadata.name!%3Dfoo", "-"),
        ("fieldSelector=metadata.name=foo", "foo"),
        ("fieldSelector=metadata.name%3D%3Dfoo", "foo"),
        ("fieldSelector=spec.x!%3Dy%2Cmetadata.name%3Dfoo%2C", "foo"),
        ("fieldSelector=metadata.name%3Dfoo%2Cbroken", "-"),
        ("fieldSelector=metadata.name%3Dfoo%3Dbar", "-"),
        ("fieldSelector=metadata.name%3D..", "-"),
        ("fieldSelector=metadata.name%3Da%2Fb", "-"),
        ("fieldSelector=metadata.name%3D", "-"),
        ("fieldSelector=metadata.name%3Dfoo&limit=500", "foo"),
        ("fieldSelector=metadata.name%3Dfoo&limit=x", "-"),
        ("fieldSelector=metadata.name%3Dfoo&timeoutSeconds=", "-"),
        ("fieldSelector=metadata.name%3Dfoo;&limit=5", "-"),
        ("fieldSelector=metadata.name%3Dfoo%&a=1", "-"),
        ("field%53elector=metadata.name%3Da+b", "a b"),
    ] {
        let uri = format!("/api/v1/pods?{query}");
        assert_eq!(http("GET", uri.as_str().into(), Rules::Modern), format!("list - v1 - pods - {name}"), "{query}");
    }
}

#[test]
fn a_json_string_reads_like_its_meaning() {
    let query = br"/api/v1/pods?a=\\u0026\u0026fieldSelector=metadata.name%3Dx\u0026watch=true";
    assert_eq!(http("GET", Text::json(query, true), Rules::Modern), "watch - v1 - pods - x");
    let path = br"/api/v1/namespaces/a\u003cb/pods\u003fwatch=1";
    assert_eq!(http("GET", Text::json(path, true), Rules::Modern), "watch - v1 a<b pods - -");
}

#[test]
fn a_known_verb_is_kept() {
    let read = |verb: &'static str, uri: &'static str| {
        show(request_info(Method::Verb(verb.into()), uri.into(), Rules::Modern, &Bump::new()))
    };
    assert_eq!(read("watch", "/api/v1/pods?fieldSelector=metadata.name%3Dx"), "watch - v1 - pods - x");
    assert_eq!(read("watch", "/api/v1/watch/pods"), "watch - v1 - pods - -");
    assert_eq!(read("proxy", "/api/v1/proxy/nodes/n/metrics"), "proxy - v1 - nodes - n");
    assert_eq!(read("redirect", "/api/v1/redirect/nodes/n"), "redirect - v1 - nodes - n");
    assert_eq!(read("create", "/api/v1/pods?fieldSelector=metadata.name%3Dx"), "create - v1 - pods - -");
    assert_eq!(
        read("deletecollection", "/api/v1/pods?fieldSelector=metadata.name%3Dx"),
        "deletecollection - v1 - pods - -"
    );
    assert_eq!(read("get", "/healthz"), "get bare");
}

#[test]
fn borrows_when_nothing_is_encoded() {
    let arena = Bump::new();
    let uri = Text::json(br"/api/v1/namespaces/n/pods?a=1\u0026watch=1", true);
    request_info(Method::Http("GET".into()), uri, Rules::Modern, &arena);
    assert_eq!(arena.allocated_bytes(), 0);
}
