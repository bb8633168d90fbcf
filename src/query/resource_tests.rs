use super::super::items::split;
use super::*;
use crate::event::Format;

/// `resource.group@version/subresource#name`, as an event.
fn matches(value: &str, object: &str) -> bool {
    let resources = Resources::compile(&split("--resource", value).unwrap(), &mut Vec::new()).unwrap();
    let cut = |text: &'static str, mark: char| text.split_once(mark).map_or((text, None), |(a, b)| (a, Some(b)));
    let (rest, name) = cut(Box::leak(object.to_owned().into_boxed_str()), '#');
    let (rest, subresource) = cut(rest, '/');
    let (rest, version) = cut(rest, '@');
    let (resource, group) = cut(rest, '.');
    let mut event = Event::empty(b"", Format::V1);
    event.object_ref = (!object.is_empty()).then(|| ObjectReference {
        resource: Some(resource.into()),
        api_group: group.map(Text::from),
        api_version: version.map(Text::from),
        subresource: subresource.map(Text::from),
        name: name.map(Text::from),
        ..Default::default()
    });
    resources.matches(&event)
}

fn hints(value: &str) -> Vec<String> {
    let mut hints = Vec::new();
    Resources::compile(&split("--resource", value).unwrap(), &mut hints).unwrap();
    hints
}

#[test]
fn types_and_groups() {
    for (value, object, expected) in [
        ("po", "pods", true),
        ("Pod", "pods", true),
        ("pods", "pods.metrics.k8s.io", true),
        ("pods.core", "pods.metrics.k8s.io", false),
        ("pods.core", "pods", true),
        ("pods.v1.", "pods@v1", true),
        ("pods.v1.", "pods.metrics.k8s.io@v1", false),
        ("deploy", "deployments.apps", true),
        ("deploy", "deployments.extensions", true),
        ("deployments.apps", "deployments.apps@v1", true),
        ("deployments.apps", "deployments.extensions", false),
        ("deploy.v1.apps", "deployments.apps@v1", true),
        ("deployments.v1.apps", "deployments.apps@v1beta2", false),
        ("deployments.v1", "deployments.apps@v1", true),
        ("ev", "events.events.k8s.io", true),
        ("ev", "events", true),
        ("*.config.openshift.io", "clusteroperators.config.openshift.io", true),
        ("*.openshift.io", "clusteroperators.config.openshift.io", true),
        ("*.*.openshift.io", "clusteroperators.config.openshift.io", true),
        ("*.config.openshift.io", "routes.route.openshift.io", false),
        ("*.core", "pods", true),
        ("*.core", "deployments.apps", false),
        ("cluster*", "clusterroles.rbac.authorization.k8s.io", true),
        ("dc,is", "imagestreams.image.openshift.io", true),
        ("vwc", "validatingwebhookconfigurations.admissionregistration.k8s.io", true),
        ("certificate", "certificates.cert-manager.io", true),
        ("widgets", "widgets.example.com", true),
        ("!secrets", "secrets", false),
        ("!secrets", "pods", true),
        ("!secrets", "", true),
        ("pods", "", false),
        ("*", "", false),
        ("*", "pods", true),
        ("<none>", "", true),
        ("<none>", "pods", false),
        ("!<none>", "", false),
        ("~^deployments\\.apps(/scale)?$", "deployments.apps/scale", true),
    ] {
        assert_eq!(matches(value, object), expected, "{value} {object}");
    }
}

#[test]
fn subresources_and_names() {
    for (value, object, expected) in [
        ("deployments", "deployments.apps/scale#web", true),
        ("deployments/", "deployments.apps/scale#web", false),
        ("deployments/", "deployments.apps#web", true),
        ("pods/exec", "pods/exec#p", true),
        ("pods/exec", "pods#exec", false),
        ("pods/logs", "pods/log#p", true),
        ("pods/*", "pods/exec#p", true),
        ("pods/*", "pods#p", false),
        ("*/scale", "statefulsets.apps/scale#db", true),
        ("deploy/nginx", "deployments.apps#nginx", true),
        ("deploy/nginx", "deployments.apps/scale#nginx", true),
        ("deploy/nginx", "deployments.apps#nginx2", false),
        ("deploy/Nginx", "deployments.apps#nginx", false),
        ("deploy/ngin*", "deployments.apps#nginx2", true),
        ("deploy.apps/nginx", "deployments.apps#nginx", true),
        ("po/web/exec", "pods/exec#web", true),
        ("po/web/exec", "pods/exec#db", false),
        ("po/web/", "pods/exec#web", false),
        ("po/*/port*", "pods/portforward#web", true),
        ("cm/status", "configmaps#status", true),
        ("sa/token", "serviceaccounts/token#x", true),
        ("pods,!pods/exec", "pods/exec#p", false),
        ("pods,!pods/exec", "pods#p", true),
        ("deploy/x", "deployments.apps", false),
    ] {
        assert_eq!(matches(value, object), expected, "{value} {object}");
    }
}

#[test]
fn hints_are_few_and_right() {
    for silent in ["pods", "deploy/nginx", "events.events.k8s.io", "certificates", "services.serving.knative.dev"] {
        assert_eq!(hints(silent), Vec::<String>::new(), "{silent}");
    }
    for (value, expected) in [
        ("deploymnts", "did you mean `deployments`?"),
        ("pods/exce", "did you mean `pods/exec`?"),
        ("pods/logs", "`pods/log` in the API"),
        ("vwc", "kubectl does not know"),
        ("ingresses.networking", "`ingresses.networking.k8s.io`?"),
        ("deployments.batch", "`deployments.apps`?"),
        ("pods.apps", "`pods.core`?"),
        ("all", "leave the flag out"),
    ] {
        let hints = hints(value);
        assert!(hints.len() == 1 && hints[0].contains(expected), "{value} {hints:?}");
    }
}

#[test]
fn faults() {
    for (value, at) in [("/x", 0), ("pods,.apps", 5), ("pods//exec", 5)] {
        let error = Resources::compile(&split("--resource", value).unwrap(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.at, at, "{value}");
    }
}

#[test]
fn the_table_is_sound() {
    for resource in RESOURCES {
        assert!(known(resource.plural).any(|known| known == resource), "{resource:?}");
        for short in resource.short {
            assert!(known(short).any(|known| known == resource), "{short}");
        }
    }
    for name in WITHOUT_SUBRESOURCES {
        assert!(RESOURCES.iter().any(|known| known.plural == *name), "{name}");
    }
    for (alias, plural) in ALIASES {
        assert!(known(alias).next().is_none() && known(plural).next().is_some(), "{alias}");
    }
    let mut keys: Vec<_> = RESOURCES.iter().map(|known| (known.group, known.plural)).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), RESOURCES.len());
}
