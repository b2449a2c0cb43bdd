//! Pages that mean harm.

use std::net::SocketAddr;

use super::page;

/// What a page tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malice {
    /// Ten megabytes of JSON, with a price at its end.
    Big,
    /// Each address leads to another.
    Redirects,
    /// The page leads to this machine.
    RedirectHere,
    /// A script that never ends.
    Loop,
    /// A file instead of a page.
    Download,
    /// Asks this machine by every means that a page has.
    Reach,
    /// Leads on to another page, again and again.
    LeadOn,
    /// Opens windows.
    Windows,
}

/// Digits of the padding in [`big`].
const BIG: usize = 10 * 1024 * 1024;

/// A page. `target` is an address of this machine that nobody may reach.
pub fn page(malice: Malice, target: SocketAddr) -> String {
    let script = match malice {
        Malice::Big => "fetch('/api/big')".to_owned(),
        Malice::Loop => "while (true) {}".to_owned(),
        Malice::LeadOn => "location = location.pathname + '?again=' + Math.random()".to_owned(),
        Malice::Windows => "for (let n = 0; n < 20; n++) window.open('/en/' + n)".to_owned(),
        Malice::Reach => format!(
            "const here = 'http://{target}', port = {port};
            for (const host of [here, 'http://localhost:' + port, 'http://[::1]:' + port, 'http://0.0.0.0:' + port, 'http://2130706433:' + port]) {{
                fetch(host + '/fetched', {{ mode: 'no-cors' }}).catch(() => 0);
                new Image().src = host + '/pictured';
                try {{ new WebSocket(host.replace('http', 'ws') + '/socket') }} catch (refused) {{ }}
                navigator.sendBeacon(host + '/beacon', 'x');
                const frame = document.createElement('iframe'); frame.src = host + '/framed'; document.body.append(frame);
            }}
            fetch('/away', {{ mode: 'no-cors' }}).catch(() => 0);",
            port = target.port()
        ),
        Malice::Redirects | Malice::RedirectHere | Malice::Download => String::new(),
    };
    page::page("A card | Cardmarket", &format!("<p>Please wait</p><script>{script}</script>"))
}

/// More JSON than any page needs.
pub fn big() -> String {
    format!("{{\"padding\":\"{}\",\"price\":1.00,\"sellerId\":\"bait\"}}", "9".repeat(BIG))
}
