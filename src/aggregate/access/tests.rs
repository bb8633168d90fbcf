use super::outcome::{admission, asked_in_message};
use super::*;
use crate::event::{Format, ObjectReference, ResponseStatus};

fn status(code: i32, message: Option<&'static str>) -> Option<ResponseStatus<'static>> {
    Some(ResponseStatus { code: Some(code), message: message.map(Text::from), ..ResponseStatus::default() })
}

fn event(code: i32, decision: Option<&'static str>, message: Option<&'static str>) -> Event<'static> {
    let mut event = Event::empty(b"{}", Format::V1);
    event.response_status = status(code, message);
    event.annotations = decision.map(|word| match word {
        "allow" => RawJson(br#"{"authorization.k8s.io/decision":"allow"}"#),
        _ => RawJson(br#"{"authorization.k8s.io/decision":"forbid"}"#),
    });
    event
}

const REFUSED: &str =
    r#"users "jane" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope"#;

/// Clients choose names, also those that are no names.
const NAMED_SO: &str = r#"pods "a cannot impersonate b" is forbidden: User "bob" cannot get resource "pods" in API group "" in the namespace "shop""#;

#[test]
fn who_refused_is_told_by_code_annotation_and_message() {
    use Refusal::*;
    let cases = [
        (event(200, Some("allow"), None), Outcome::Allowed),
        (event(404, Some("allow"), None), Outcome::Allowed),
        (event(200, None, None), Outcome::Allowed),
        (event(401, None, None), Outcome::Refused(Authentication)),
        (event(403, Some("forbid"), None), Outcome::Refused(Authorization)),
        (event(403, Some("allow"), Some("exceeded quota")), Outcome::Refused(Admission)),
        (event(403, None, None), Outcome::Refused(Authorization)),
        (event(403, None, Some("pods is forbidden: User \"x\" cannot list pods")), Outcome::Refused(Authorization)),
        (event(403, None, Some("pods \"a\" is forbidden: exceeded quota: q, used")), Outcome::Refused(Admission)),
        (event(403, None, Some(REFUSED)), Outcome::Refused(Impersonation)),
        (event(403, Some("forbid"), Some(REFUSED)), Outcome::Refused(Impersonation)),
        (event(403, Some("forbid"), Some(NAMED_SO)), Outcome::Refused(Authorization)),
    ];
    for (event, expected) in cases {
        assert_eq!(outcome(&event), expected, "{event:?}");
    }
    assert_eq!(outcome(&Event::empty(b"{}", Format::V1)), Outcome::Unknown);
}

#[test]
fn messages_of_refused_impersonation_say_what_was_asked() {
    let asked = |message| asked_in_message(message).map(|asked| format!("{asked:?}"));
    let resource = |group: &str, resource: &str, name: &str| Target::Resource {
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: Some(name.to_owned()),
    };
    let request = |namespace: Option<&str>, target| {
        let verb = "impersonate".to_owned();
        Some(format!("{:?}", Request { namespace: namespace.map(str::to_owned), target, verb }))
    };
    assert_eq!(asked(REFUSED), request(None, resource("", "users", "jane")));
    let account = r#"serviceaccounts "w\"eb" is forbidden: User "b\\" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "shop""#;
    assert_eq!(asked(account), request(Some("shop"), resource("", "serviceaccounts", "w\"eb")));
    let extra = r#"userextras.authentication.k8s.io "dev" is forbidden: User "b" cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope: why"#;
    assert_eq!(asked(extra), request(None, resource("authentication.k8s.io", "userextras/scopes", "dev")));
    assert_eq!(asked("users \"x\" is forbidden: User \"y"), None);
}

#[test]
fn admission_is_named() {
    let cases = [
        ("pods \"w\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=5", "quota compute"),
        (
            "pods \"w\" is forbidden: violates PodSecurity \"restricted:latest\": privileged",
            "PodSecurity restricted:latest",
        ),
        ("admission webhook \"deny.example.com\" denied the request: no", "webhook deny.example.com"),
        ("x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "policy p"),
        ("unable to create new content in namespace x because it is being terminated", "namespace terminating"),
        ("something else", "admission"),
    ];
    for (message, expected) in cases {
        assert_eq!(admission(message), expected);
    }
}

#[test]
fn a_created_object_has_no_name_for_the_authorizer() {
    let mut event = event(201, None, None);
    let object = ObjectReference {
        resource: Some("pods".into()),
        name: Some("web".into()),
        namespace: Some("shop".into()),
        ..ObjectReference::default()
    };
    (event.verb, event.object_ref) = (Some("create".into()), Some(object));
    let decoded = |event: &Event<'_>| {
        let values = fields(event).map(|value| value.map(|text| text.decode().into_owned()));
        Fields::new(values.to_vec()).request()
    };
    let name = |request: Request| match request.target {
        Target::Resource { resource, name, .. } => (resource, name),
        Target::Url(path) => (path, None),
    };
    assert_eq!(name(decoded(&event)), ("pods".to_owned(), None));
    event.object_ref = Some(ObjectReference { subresource: Some("exec".into()), ..object });
    assert_eq!(name(decoded(&event)), ("pods/exec".to_owned(), Some("web".to_owned())));
    (event.object_ref, event.request_uri) = (None, Some("/a%2Fb%zz?x=1".into()));
    assert_eq!(name(decoded(&event)), ("/a/b%zz".to_owned(), None));
}

#[test]
fn acting_as_somebody_takes_a_right_for_each_thing() {
    let mut event = event(200, None, None);
    event.user.username = Some("bob".into());
    event.impersonated_user = Some(crate::event::User {
        username: Some("system:serviceaccount:shop:web".into()),
        groups: Some(RawJson(
            br#"["system:serviceaccounts","system:serviceaccounts:shop","system:authenticated","dev"]"#,
        )),
        extra: Some(RawJson(br#"{"scopes":["a","b"]}"#)),
        uid: None,
    });
    let values = fields(&event).map(|value| value.map(|text| text.decode().into_owned()));
    let asked = Fields::new(values.to_vec()).impersonations();
    let shown: Vec<String> = asked
        .into_iter()
        .map(|request| match request.target {
            Target::Resource { resource, name, .. } => format!("{resource}={}", name.unwrap_or_default()),
            Target::Url(path) => path,
        })
        .collect();
    assert_eq!(shown, ["serviceaccounts=web", "groups=dev", "userextras/scopes=a", "userextras/scopes=b"]);
}
