//! The generator keeps its promises: same arguments, same bytes, and lines of the server's shape.

use auditq_bench::run::{Plan, Profile, run};

fn log(profile: Profile, size: u64, seed: u64, all_stages: bool) -> String {
    let mut out = Vec::new();
    let bytes = run(&Plan { profile, size, seed, all_stages }, &mut out).unwrap();
    assert_eq!(bytes, out.len() as u64);
    String::from_utf8(out).unwrap()
}

const PROFILES: [Profile; 5] = [Profile::Metadata, Profile::Rr, Profile::Mixed, Profile::Legacy, Profile::Oneline];

#[test]
fn the_same_arguments_give_the_same_bytes() {
    for profile in PROFILES {
        let one = log(profile, 300_000, 1, true);
        assert_eq!(one, log(profile, 300_000, 1, true));
        assert_ne!(one, log(profile, 300_000, 2, true));
    }
}

#[test]
fn the_size_is_reached_by_whole_lines() {
    for profile in PROFILES {
        let one = log(profile, 300_000, 1, true);
        assert!(one.len() >= 300_000 && one.ends_with('\n'));
        assert!(one.len() - one.lines().last().unwrap().len() <= 300_001, "one line more than needed");
    }
}

#[test]
fn json_lines_have_the_order_of_the_server() {
    let keys = [
        "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"",
        "\"auditID\":",
        "\"stage\":",
        "\"requestURI\":",
        "\"verb\":",
        "\"user\":",
        "\"sourceIPs\":",
        "\"userAgent\":",
        "\"requestReceivedTimestamp\":",
        "\"stageTimestamp\":",
    ];
    for profile in [Profile::Metadata, Profile::Rr, Profile::Mixed] {
        for line in log(profile, 500_000, 3, true).lines() {
            let mut rest = line;
            for key in keys {
                let at = rest.find(key).unwrap_or_else(|| panic!("{key} is missing or out of order: {line}"));
                rest = &rest[at..];
            }
            assert!(line.ends_with('}'));
        }
    }
}

#[test]
fn stages_can_be_left_out() {
    assert!(log(Profile::Metadata, 500_000, 1, true).contains("RequestReceived\""));
    assert!(!log(Profile::Metadata, 500_000, 1, false).contains("\"stage\":\"RequestReceived\""));
}

#[test]
fn the_rare_user_is_in_every_log() {
    for profile in PROFILES {
        assert!(log(profile, 2_000_000, 9, true).contains("mallory@example.com"));
    }
}
