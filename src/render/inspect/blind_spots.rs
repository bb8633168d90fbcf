//! Blind spots in plain sentences. None is certain, and none pretends to be.

use super::sentences;
use crate::aggregate::inspect::Inspection;
use crate::aggregate::inspect::blind_spots::{BlindSpot, BlindSpotRow};
use crate::render::human::counted;

/// One sentence each.
pub(super) fn blind_spots(answer: &Inspection, out: &mut Vec<u8>) {
    let lines: Vec<String> = answer.blind_spots.iter().map(sentence).collect();
    sentences("Blind spots, as far as the log tells", &lines, out);
}

/// What seems to be left out, and the count that rests on.
pub(super) fn sentence(row: &BlindSpotRow) -> String {
    let text = match row.what {
        BlindSpot::BodiesNotRecorded => {
            "Everything is at level Metadata: bodies seem not to be recorded, so what was changed cannot be told"
        }
        BlindSpot::ResponsesNotRecorded => {
            "Nothing is at level RequestResponse: response bodies seem not to be recorded"
        }
        BlindSpot::MetadataOnly => return metadata_only(row),
        BlindSpot::TextFormat => {
            "Text formats hold neither level, bodies nor annotations, and one-line text no latency"
        }
        BlindSpot::RequestReceivedOmitted => {
            "No RequestReceived: the policy seems to omit the stage, so requests that never ended cannot be seen"
        }
        BlindSpot::ResponseStartedOmitted => {
            "No ResponseStarted though there are long-running requests: the stage seems to be omitted, and with it running sessions and failed authentication"
        }
        BlindSpot::ResponseCompleteOmitted => {
            "No ResponseComplete: the stage seems to be omitted, so results and latencies cannot be told"
        }
        BlindSpot::NoReads => "No get, list or watch at all: the policy seems to leave out reads",
        BlindSpot::NoReadsOf => {
            return format!(
                "No get, list or watch of {}: the policy seems to leave out who read them{}",
                listed(&row.names),
                resting(row)
            );
        }
        BlindSpot::NoWrites => "No create, update, patch or delete at all: the policy seems to leave out changes",
        BlindSpot::NeverSeen => {
            return format!(
                "No request for {}: none was made, or the policy leaves them out{}",
                listed(&row.names),
                resting(row)
            );
        }
        BlindSpot::NoFailedAuthentication => "No failed authentication (401): there was none, or it is not logged",
        BlindSpot::NoNonResource => {
            "No request for a path such as /healthz or /version: the policy seems to leave them out"
        }
        BlindSpot::NoNodes => {
            "No request by a kubelet (system:node:…): the policy seems to leave nodes out, or another API server serves them"
        }
        BlindSpot::NoKubeProxy => "No request by kube-proxy: the policy seems to leave it out, or the cluster has none",
        BlindSpot::NoScheduler => {
            "No request by the scheduler: the policy seems to leave it out, or another API server serves it"
        }
        BlindSpot::NoControllerManager => {
            "No request by the controller manager: the policy seems to leave it out, or another API server serves it"
        }
        BlindSpot::NoServiceAccounts => "No request by a service account: the policy seems to leave them out",
        BlindSpot::NoAnnotations => {
            "No annotations: the server is older than 1.11, or something on the way removed them, so decisions and reasons cannot be told"
        }
        BlindSpot::NoUserAgents => {
            "No user agents: the server is older than 1.12, or something on the way removed them"
        }
        BlindSpot::ManagedFieldsOmitted => "No managedFields in the bodies: the policy seems to omit them",
        BlindSpot::OneApiServer => {
            "All of it seems to be from one API server: if the cluster has several, what the others served is not here"
        }
    };
    format!("{text}{}", resting(row))
}

/// So many resources are named.
const NAMES: usize = 6;

fn metadata_only(row: &BlindSpotRow) -> String {
    format!("Only at level Metadata, though others have bodies: {}{}", listed(&row.names), resting(row))
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The count it rests on.
fn resting(row: &BlindSpotRow) -> String {
    let noun = match row.what {
        BlindSpot::RequestReceivedOmitted | BlindSpot::ResponseCompleteOmitted => "event",
        _ => "request",
    };
    format!(" ({}).", counted(row.count, noun))
}
