//! Where an event's line came from, as far as what it was wrapped in tells.

use super::{Text, Timestamp};

/// What a line's prefix or envelope says about its origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Origin<'a> {
    /// The host or node.
    pub host: Option<Text<'a>>,
    /// The pod that wrote it (the API server's own, say).
    pub pod: Option<Text<'a>>,
    /// The container in it.
    pub container: Option<Text<'a>>,
    /// The log stream or file: a CloudWatch stream, the path a shipper read.
    pub stream: Option<Text<'a>>,
    /// The cluster, by name or resource id.
    pub cluster: Option<Text<'a>>,
    /// When the collector saw it.
    pub time: Option<Timestamp>,
}

impl<'a> Origin<'a> {
    /// The origin of which nothing is known.
    pub const NONE: Origin<'static> =
        Origin { host: None, pod: None, container: None, stream: None, cluster: None, time: None };

    /// Its names, the most telling first: what `--source` compares and `--by source` shows the first of.
    pub fn names(&self) -> impl Iterator<Item = Text<'a>> + Clone + use<'a> {
        [self.host, self.pod, self.stream, self.cluster, self.container].into_iter().flatten()
    }

    /// Whether it names anything.
    pub fn is_named(&self) -> bool {
        self.names().next().is_some()
    }

    /// With what is missing taken from `outer`, the wrapping around this one.
    #[must_use]
    pub fn or(self, outer: Origin<'a>) -> Origin<'a> {
        Origin {
            host: self.host.or(outer.host),
            pod: self.pod.or(outer.pod),
            container: self.container.or(outer.container),
            stream: self.stream.or(outer.stream),
            cluster: self.cluster.or(outer.cluster),
            time: self.time.or(outer.time),
        }
    }
}

/// An origin that outlives the bytes it was read from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnedOrigin {
    names: [Option<Box<[u8]>>; 5],
    time: Option<Timestamp>,
}

impl From<Origin<'_>> for OwnedOrigin {
    fn from(origin: Origin<'_>) -> Self {
        let own = |text: Option<Text<'_>>| text.map(|text| Box::from(&*text.decode()));
        let names = [origin.host, origin.pod, origin.container, origin.stream, origin.cluster].map(own);
        OwnedOrigin { names, time: origin.time }
    }
}

impl OwnedOrigin {
    /// The origin, borrowed.
    pub fn get(&self) -> Origin<'_> {
        let [host, pod, container, stream, cluster] = &self.names;
        Origin {
            host: host.as_deref().map(Text::plain),
            pod: pod.as_deref().map(Text::plain),
            container: container.as_deref().map(Text::plain),
            stream: stream.as_deref().map(Text::plain),
            cluster: cluster.as_deref().map(Text::plain),
            time: self.time,
        }
    }
}
