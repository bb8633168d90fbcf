//! What can be said of one request with yes or no, counted with examples.

use super::capped::{Examples, Sum};

/// Something that is so of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Mark {
    /// A token in a query parameter of the URI, or a JSON web token anywhere in it.
    TokenInUri,
    /// A JSON web token in a body.
    TokenInBody,
    /// A service account token in the answer to a TokenRequest.
    ServiceAccountToken,
    /// The token under review in a TokenReview.
    ReviewedToken,
    /// Values of a Secret.
    SecretData,
    /// Values of a ConfigMap.
    ConfigMapData,
    /// A command of exec that names a password or the like.
    ExecArguments,
    /// A token that is the name of an OAuth object.
    OAuthTokenName,
    /// User and password in a URL.
    BasicAuth,
    /// A private key.
    PrivateKey,
    /// A cloud provider's access key id.
    CloudKey,
    /// A level this version does not know.
    UnknownLevel,
    /// A stage this version does not know.
    UnknownStage,
    /// ResponseComplete without a status.
    NoStatus,
    /// The object is not the one that the URI names.
    OtherObject,
    /// The stage was reached before the request arrived.
    StageBeforeArrival,
    /// `audit.k8s.io/truncated`: the API server removed the bodies for their size.
    Truncated,
    /// A shipper put a note in the place of a body.
    Skipped,
    /// No body of the request where the level says there is one.
    NoRequestBody,
    /// No body of the response where the level says there is one.
    NoResponseBody,
    /// A body of either kind is there.
    Body,
    /// A response with one object, which would have managed fields.
    SingleObject,
    /// Long-running: a watch, an exec.
    LongRunning,
    /// Failed authentication.
    Unauthorized,
    /// Read from one of the text formats.
    TextFormat,
    /// Has annotations.
    Annotated,
    /// Has a user agent.
    UserAgent,
    /// Is about no resource.
    NonResource,
    /// By a kubelet.
    Node,
    /// By kube-proxy.
    KubeProxy,
    /// By the scheduler.
    Scheduler,
    /// By the controller manager.
    ControllerManager,
    /// By a service account.
    ServiceAccount,
}

/// How many there are.
pub const MARKS: usize = Mark::ServiceAccount as usize + 1;

/// Those with examples come first.
const WITH_EXAMPLES: usize = Mark::NoResponseBody as usize + 1;

/// The marks of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks(u64);

impl Marks {
    /// Adds a mark if it is so.
    #[inline]
    pub fn set(&mut self, mark: Mark, is_so: bool) {
        self.0 |= u64::from(is_so) << mark as u8;
    }

    /// Whether it is so.
    #[inline]
    pub const fn has(self, mark: Mark) -> bool {
        self.0 >> mark as u8 & 1 == 1
    }

    fn indices(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let index = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (index < 64).then_some(index)
        })
    }
}

/// How often each mark was set.
#[derive(Clone, Debug)]
pub struct MarkCounts {
    counts: [u64; MARKS],
    examples: [Examples; WITH_EXAMPLES],
}

impl Default for MarkCounts {
    fn default() -> Self {
        MarkCounts { counts: [0; MARKS], examples: Default::default() }
    }
}

impl MarkCounts {
    /// Counts a request's marks.
    #[inline]
    pub fn observe(&mut self, marks: Marks, id: impl FnOnce() -> Option<Vec<u8>>) {
        for index in marks.indices() {
            if let Some(count) = self.counts.get_mut(index) {
                *count += 1;
            }
        }
        if marks.0 & ((1 << WITH_EXAMPLES) - 1) != 0
            && let Some(id) = id()
        {
            marks.indices().for_each(|index| {
                if let Some(examples) = self.examples.get_mut(index) {
                    examples.observe(&id);
                }
            });
        }
    }

    /// Takes them back. An example stays: the request it repeats has the same audit id.
    pub fn take(&mut self, marks: Marks) {
        for index in marks.indices() {
            if let Some(count) = self.counts.get_mut(index) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// How often it was so.
    pub fn of(&self, mark: Mark) -> u64 {
        self.counts.get(mark as usize).copied().unwrap_or_default()
    }

    /// Some of the requests of which it is so.
    pub fn examples(&self, mark: Mark) -> Vec<String> {
        if self.of(mark) == 0 {
            return Vec::new();
        }
        self.examples.get(mark as usize).map(Examples::ids).unwrap_or_default()
    }
}

impl Sum for MarkCounts {
    fn add(&mut self, other: Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        for (mine, theirs) in self.examples.iter_mut().zip(other.examples) {
            mine.add(theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_and_taken_back() {
        let mut marks = Marks::default();
        marks.set(Mark::SecretData, true);
        marks.set(Mark::ServiceAccount, true);
        marks.set(Mark::Body, false);
        assert!(marks.has(Mark::SecretData) && !marks.has(Mark::Body));
        let mut counts = MarkCounts::default();
        counts.observe(marks, || Some(b"one".to_vec()));
        counts.observe(marks, || Some(b"one".to_vec()));
        counts.take(marks);
        assert_eq!((counts.of(Mark::SecretData), counts.of(Mark::ServiceAccount), counts.of(Mark::Body)), (1, 1, 0));
        assert_eq!(counts.examples(Mark::SecretData), ["one"]);
        counts.take(marks);
        assert_eq!(counts.examples(Mark::SecretData), [""; 0]);
    }
}
