"""Which addresses a webhook may reach: never our own networks, whatever they are wrapped in."""

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The standard library's `is_global` calls multicast, NAT64, 6to4 and others global: hence a table of our own.
_DENIED: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this_network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "cloud_metadata"),  # a public number that only a virtual machine's host answers
    ("169.254.0.0/16", "link_local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "ipv4_compatible"),
    ("::ffff:0:0:0/96", "translated"),
    ("64:ff9b::/96", "nat64"),
    ("64:ff9b:1::/48", "nat64"),
    ("100::/64", "discard"),
    ("100:0:0:1::/64", "dummy"),
    ("2001::/32", "teredo"),
    ("2001::/23", "protocol"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "six_to_four"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment_routing"),
    ("fc00::/7", "unique_local"),
    ("fe80::/10", "link_local"),
    ("fec0::/10", "site_local"),
    ("ff00::/8", "multicast"),
)
_TABLE: tuple[tuple[Network, str], ...] = tuple((ipaddress.ip_network(text), reason) for text, reason in _DENIED)
_UNICAST = IPv6Network("2000::/3")
_TUNNELS = {
    "six_to_four": IPv6Network("2002::/16"),
    "teredo": IPv6Network("2001::/32"),
    "nat64": IPv6Network("64:ff9b::/96"),
    "nat64_local": IPv6Network("64:ff9b:1::/48"),
    "translated": IPv6Network("::ffff:0:0:0/96"),
}
_ISATAP = {0x00005EFE, 0x02005EFE}


@dataclass(frozen=True)
class AllowList:
    """Ranges an operator has opened for webhooks (leased lines, a laptop): plain http and any port are fine there."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> "AllowList":
        """Read ranges separated by commas (`127.0.0.0/8,::1/128`); ValueError for one with host bits or no range."""
        parts = [part.strip() for part in (text or "").split(",") if part.strip()]
        return cls(tuple(ipaddress.ip_network(part) for part in parts))

    def __bool__(self) -> bool:
        return bool(self.networks)

    def covers(self, address: Address) -> bool:
        """Whether this very address is in a range; what it may carry inside is not looked at."""
        plain = _unmapped(address)
        return any(plain.version == network.version and plain in network for network in self.networks)

    def opens(self, address: Address) -> bool:
        """Whether a webhook may go there because an operator said so, and not because it is public."""
        return self.covers(address) and address_problem(address, self) is None


def address_allowed(ip: str | bytes, allow: AllowList) -> str | None:
    """None when a connection to this address (text, as resolvers give it) is allowed, else the reason as a code."""
    text = ip.decode("ascii", "replace") if isinstance(ip, bytes) else ip
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "no_address"
    return address_problem(address, allow)


def address_problem(address: Address, allow: AllowList) -> str | None:
    """The same for a parsed address: it and everything wrapped in it must be public or opened by the operator."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "scoped"
    is_opened = allow.covers(address)  # opening an address does not open the tunnels to it
    for layer in _layers(_unmapped(address)):
        if not (is_opened and allow.covers(layer)) and (reason := _denied(layer)):
            return reason
    return None


def _denied(address: Address) -> str | None:
    for network, reason in _TABLE:
        if address.version == network.version and address in network:
            return reason
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return "unassigned"
    return None


def _unmapped(address: Address) -> Address:
    # The kernel opens an IPv4 connection for ::ffff:a.b.c.d, so such an address *is* the one inside.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _layers(address: Address) -> list[Address]:
    """The address itself, then the IPv4 addresses a tunnel or translator on the way would unwrap."""
    if isinstance(address, IPv4Address):
        return [address]
    bits = int(address)
    inside: list[int] = []
    if address in _TUNNELS["six_to_four"]:
        inside = [bits >> 80]
    elif address in _TUNNELS["teredo"]:
        inside = [bits >> 64, ~bits]
    elif address in _TUNNELS["nat64"] or address in _TUNNELS["translated"]:
        inside = [bits]
    elif address in _TUNNELS["nat64_local"]:
        # RFC 6052 §2.2: a /48 prefix splits the address around octet 8, a /96 below it puts it at the end.
        inside = [(bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF, bits]
    if bits >> 32 & 0xFFFFFFFF in _ISATAP:
        inside.append(bits)
    return [address, *(IPv4Address(number & 0xFFFFFFFF) for number in inside)]
