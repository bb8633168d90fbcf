//! Arbitrary filter flags: a flag name and its value on each line.

#![no_main]

use auditq::event::{Event, Format, RawJson, Timestamp};
use auditq::query::{FilterSpec, check};
use libfuzzer_sys::fuzz_target;

const BODY: &[u8] = br#"{"spec":{"n":1,"d":0.5,"l":[{"a":"x"},{"a":null}],"m":{"k":true}}}"#;

fuzz_target!(|text: &str| {
    let mut spec = FilterSpec::default();
    for line in text.lines() {
        let Some((flag, value)) = line.split_once('=') else { continue };
        let value = value.to_owned();
        match flag {
            "user" => spec.user.push(value),
            "group" => spec.group.push(value),
            "as" => spec.as_user.push(value),
            "verb" => spec.verb.push(value),
            "resource" => spec.resource.push(value),
            "namespace" => spec.namespace.push(value),
            "name" => spec.name.push(value),
            "stage" => spec.stage.push(value),
            "level" => spec.level.push(value),
            "code" => spec.code.push(value),
            "decision" => spec.decision.push(value),
            "source-ip" => spec.source_ip.push(value),
            "user-agent" => spec.user_agent.push(value),
            "uri" => spec.uri.push(value),
            "audit-id" => spec.audit_id.push(value),
            "annotation" => spec.annotation.push(value),
            "latency" => spec.latency.push(value),
            "since" => spec.since = Some(value),
            "until" => spec.until = Some(value),
            "around" => spec.around = Some(value),
            "window" => spec.window = Some(value),
            "last" => spec.last = Some(value),
            "where" => spec.expressions.push(value),
            _ => spec.failed = true,
        }
    }
    // The clock is an argument, so a finding can be replayed.
    match check(&spec, Timestamp(1_773_043_200_000_000_000)) {
        Ok(checked) => {
            let _ = checked.filter.matches(&Event::empty(b"", Format::V1));
            // Something for expressions to look into.
            let mut event = Event::empty(BODY, Format::V1);
            event.request_object = Some(RawJson(BODY));
            event.user.groups = Some(RawJson(br#"["a","b"]"#));
            event.verb = Some("get".into());
            let _ = checked.filter.matches(&event);
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
});
