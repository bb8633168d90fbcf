//! Source addresses: single ones, networks, and text where neither is to be had.

use std::net::IpAddr;

use ipnet::IpNet;

use super::error::QueryError;
use super::items::{Item, NONE};
use super::pattern::{Set, has_glob};
use crate::event::{Event, Text};

/// What `--source-ip` says. A request passes when any of its addresses does, and none is refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    positive: Side,
    negative: Side,
}

#[derive(Clone, Debug, Default)]
struct Side {
    networks: Vec<IpNet>,
    text: Set,
}

impl Addresses {
    /// Compiles the items of the flag; a word that is no address gets a hint.
    pub(super) fn compile(items: &[Item<'_>], hints: &mut Vec<String>) -> Result<Self, QueryError> {
        let mut addresses = Addresses::default();
        for item in items {
            let side = if item.negated { &mut addresses.negative } else { &mut addresses.positive };
            match network(item)? {
                Some(network) => side.networks.push(network),
                None => side.text.add(item)?,
            }
            if is_odd_word(item) {
                hints.push(format!("--source-ip: `{}` is not an address; it is compared as text", item.text));
            }
        }
        Ok(addresses)
    }

    /// Whether the event's `sourceIPs` pass.
    pub(super) fn matches(&self, event: &Event<'_>) -> bool {
        let found = || event.source_ips.into_iter().flat_map(|list| list.elements()).filter_map(|ip| ip.as_text());
        (self.positive.is_empty() || self.positive.has_any(found()))
            && (self.negative.is_empty() || !self.negative.has_any(found()))
    }
}

impl Side {
    fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.text.is_empty()
    }

    fn has_any<'a>(&self, addresses: impl Iterator<Item = Text<'a>> + Clone) -> bool {
        self.text.has_any(addresses.clone())
            || (!self.networks.is_empty() && addresses.clone().any(|ip| self.contains(ip)))
    }

    fn contains(&self, text: Text<'_>) -> bool {
        let bytes = text.decode();
        let Some(address) = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<IpAddr>().ok()) else {
            return false;
        };
        // An IPv4 client may be written `::ffff:10.0.0.1`; both readings count.
        let plain = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&plain) || network.contains(&address))
    }
}

/// The network an item names; a single address is the smallest network.
fn network(item: &Item<'_>) -> Result<Option<IpNet>, QueryError> {
    if let Ok(address) = item.text.parse::<IpAddr>() {
        return Ok(Some(IpNet::from(address.to_canonical())));
    }
    if let Ok(network) = item.text.parse::<IpNet>() {
        return Ok(Some(network));
    }
    if item.text.contains('/') && item.regex().is_none() {
        let message = format!("`{}` is not a network", item.text);
        return Err(item.error(message).with_help("write 10.0.0.0/8, fd00::/8, 10.0.0.1 or '10.0.*'"));
    }
    Ok(None)
}

fn is_odd_word(item: &Item<'_>) -> bool {
    let text = item.text;
    let is_address = text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok();
    !is_address && item.regex().is_none() && !has_glob(text) && text != NONE
}

#[cfg(test)]
mod tests {
    use super::super::items::split;
    use super::*;
    use crate::event::{Format, RawJson};

    fn matches(value: &str, list: &str) -> bool {
        let addresses = Addresses::compile(&split("--source-ip", value).unwrap(), &mut Vec::new()).unwrap();
        let mut event = Event::empty(b"", Format::V1);
        event.source_ips = (!list.is_empty()).then_some(RawJson(list.as_bytes()));
        addresses.matches(&event)
    }

    #[test]
    fn addresses_networks_and_text() {
        for (value, list, expected) in [
            ("10.0.0.1", r#"["192.168.0.1","10.0.0.1"]"#, true),
            ("10.0.0.1", r#"["10.0.0.10"]"#, false),
            ("10.0.0.0/8", r#"["10.9.9.9"]"#, true),
            ("10.0.0.5/8", r#"["10.9.9.9"]"#, true),
            ("fd00::/8", r#"["fd00:0::1"]"#, true),
            ("fd00::1", r#"["fd00:0:0::1"]"#, true),
            ("10.0.0.1", r#"["::ffff:10.0.0.1"]"#, true),
            ("::ffff:10.0.0.1", r#"["10.0.0.1"]"#, true),
            ("10.0.*", r#"["10.0.3.4"]"#, true),
            ("~^99", r#"["99.999.999.999"]"#, true),
            ("99.999.999.999", r#"["99.999.999.999"]"#, true),
            ("!10.0.0.0/8", r#"["10.1.1.1","1.1.1.1"]"#, false),
            ("!10.0.0.0/8", r#"["1.1.1.1"]"#, true),
            ("!10.0.0.0/8", "", true),
            ("0.0.0.0/0", "", false),
            ("<none>", "", true),
            ("10.0.0.1", r#""10.0.0.1""#, true),
        ] {
            assert_eq!(matches(value, list), expected, "{value} {list}");
        }
    }

    #[test]
    fn what_is_no_address() {
        let check = |value| {
            let mut hints = Vec::new();
            Addresses::compile(&split("--source-ip", value).unwrap(), &mut hints).map(|_| hints)
        };
        assert_eq!(check("1.1.1.1,10.0.0.0/33").unwrap_err().at, 8);
        assert_eq!(check("10.0.0").unwrap().len(), 1);
        assert!(check("10.0.0.*,~x,<none>").unwrap().is_empty());
    }
}
