"""Which addresses and URLs are refused before anything is sent."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.targets import (
    PORTS,
    AllowList,
    address_allowed,
    check_url,
    connection_problem,
    read_target,
)
from tests.unit.notifications.receivers import LOOPBACK, NOTHING, PUBLIC

BLOCKED = {
    "0.0.0.0": "this_network",
    "0.1.2.3": "this_network",
    "10.254.0.0": "private",
    "100.64.0.0": "shared",
    "100.100.0.0": "shared",
    "100.100.100.200": "shared",
    "100.127.255.255": "shared",
    "127.0.0.1": "loopback",
    "127.255.255.255": "loopback",
    "168.63.129.16": "cloud_metadata",
    "169.254.45.1": "link_local",
    "169.254.169.254": "link_local",
    "172.16.10.65": "private",
    "172.31.255.255": "private",
    "192.0.0.0": "protocol",
    "192.0.0.192": "protocol",
    "192.0.0.255": "protocol",
    "192.0.2.255": "documentation",
    "192.88.99.1": "relay",
    "192.168.10.65": "private",
    "198.18.0.0": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.65": "documentation",
    "203.0.113.6": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "250.10.20.30": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "ipv4_compatible",
    "::8.8.8.8": "ipv4_compatible",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:0.0.0.1": "this_network",
    "::ffff:169.254.169.254": "link_local",
    "::ffff:a00:1": "private",
    "::ffff:0:127.0.0.1": "translated",
    "64:ff9b::169.254.169.254": "nat64",
    "64:ff9b::8.8.8.8": "nat64",
    "64:ff9b:1::a9fe:a9fe": "nat64",
    "64:ff9b:1:a9fe:a9:fe00::": "nat64",
    "100::1": "discard",
    "100:0:0:1::1": "dummy",
    "2001::1": "teredo",
    "2001:2::1": "protocol",
    "2001:20::1": "protocol",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "six_to_four",
    "2002:a9fe:a9fe::1": "six_to_four",
    "3fff::1": "documentation",
    "5f00::1": "segment_routing",
    "fc02::1": "unique_local",
    "fd00:ec2::254": "unique_local",
    "fe80::1": "link_local",
    "fe80::1%eth0": "scoped",
    "2606:4700::1%1": "scoped",
    "febf:ffff::1": "link_local",
    "fec0::1": "site_local",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "0:0:0:ffff::1": "unassigned",
    "4000::1": "unassigned",
    "2400:3200::5efe:7f00:1": "loopback",
    "2400:3200::200:5efe:a9fe:a9fe": "link_local",
    "localhost": "no_address",
    "127.1": "no_address",
    "": "no_address",
}
REACHABLE = [
    "1.1.1.1",
    "8.8.8.8",
    PUBLIC,
    "2001:4860:4860::8888",
    "2400:3200::1",
    "::ffff:8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
]


@pytest.mark.parametrize(("ip", "reason"), BLOCKED.items())
def test_an_address_that_is_not_public_is_blocked(ip: str, reason: str) -> None:
    assert address_allowed(ip, NOTHING) == reason
    assert address_allowed(ip.encode(), NOTHING) == reason


@pytest.mark.parametrize("ip", REACHABLE)
def test_a_public_address_is_reachable(ip: str) -> None:
    assert address_allowed(ip, NOTHING) is None


@given(st.integers(min_value=0, max_value=2**32 - 1).map(ipaddress.IPv4Address))
def test_whatever_python_calls_private_is_blocked_in_every_wrapping(address: ipaddress.IPv4Address) -> None:
    bits = int(address)
    wrapped = [
        f"::ffff:{address}",
        f"64:ff9b::{address}",
        str(ipaddress.IPv6Address(0x2002 << 112 | bits << 80 | 1)),
        f"2400:3200::5efe:{bits >> 16:x}:{bits & 0xFFFF:x}",
    ]
    if address.is_private or address.is_multicast or address.is_reserved:
        assert address_allowed(str(address), NOTHING) is not None
        assert all(address_allowed(ip, NOTHING) is not None for ip in wrapped)
    if address_allowed(str(address), NOTHING) is None:
        assert address.is_global


@given(st.integers(min_value=0, max_value=2**128 - 1).map(ipaddress.IPv6Address))
def test_no_ipv6_address_outside_the_global_unicast_range_is_reachable(address: ipaddress.IPv6Address) -> None:
    if address_allowed(str(address), NOTHING) is None and address.ipv4_mapped is None:
        assert address in ipaddress.ip_network("2000::/3") and address.is_global


def test_an_opened_range_may_be_reached_and_nothing_beside_it() -> None:
    allow = AllowList.parse(" 127.0.0.0/8, ::1/128 ,10.20.0.0/16")
    assert [address_allowed(ip, allow) for ip in ["127.9.9.9", "::1", "10.20.3.4", "::ffff:127.0.0.1"]] == [None] * 4
    assert address_allowed("10.21.0.1", allow) == "private"
    assert address_allowed("::ffff:10.21.0.1", allow) == "private"
    assert address_allowed("192.168.0.1", allow) == "private"


@pytest.mark.parametrize(
    "ip", ["2002:7f00:1::", "64:ff9b::7f00:1", "2001:0:1::80ff:fffe", "::127.0.0.1", "2400:3200::5efe:7f00:1"]
)
def test_opening_an_address_does_not_open_tunnels_to_it(ip: str) -> None:
    assert address_allowed(ip, LOOPBACK) is not None


@pytest.mark.parametrize(
    ("opened", "ip", "reason"),
    [
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", None),
        ("64:ff9b::/96", "64:ff9b::169.254.169.254", "link_local"),
        ("64:ff9b:1::/48", "64:ff9b:1:a9fe:a9:fe00::", "link_local"),
        ("2002::/16", "2002:808:808::1", None),
        ("2002::/16", "2002:a9fe:a9fe::1", "link_local"),
        ("2001::/32", "2001:0:808:808::f7f7:f7f7", None),
        ("2001::/32", "2001:0:808:808::5601:5601", "link_local"),
        ("2001::/32", "2001:0:7f00:1::f7f7:f7f7", "loopback"),
        ("::ffff:0:0:0/96", "::ffff:0:127.0.0.1", "loopback"),
        ("2400:3200::/32", "2400:3200::5efe:127.0.0.1", "loopback"),
    ],
)
def test_an_opened_tunnel_still_leads_only_to_public_addresses(opened: str, ip: str, reason: str | None) -> None:
    assert address_allowed(ip, AllowList.parse(opened)) == reason


@pytest.mark.parametrize("text", ["127.0.0.1/8", "localhost", "10.0.0.0/33", "127.0.0.0-127.0.0.9"])
def test_an_allow_list_with_a_mistake_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        AllowList.parse(text)


def test_an_empty_allow_list_opens_nothing() -> None:
    assert AllowList.parse("") == AllowList.parse(None) == AllowList.parse(" , ") == NOTHING
    assert not NOTHING


REFUSED_URLS = {
    "": "malformed",
    "example.com/hook": "malformed",
    "https:/example.com": "malformed",
    "https:///hook": "malformed",
    "//example.com/hook": "malformed",
    "https://exa mple.com/": "malformed",
    "https://example.com/a\r\nX: y": "malformed",
    "https://example.com\\@127.0.0.1/": "malformed",
    "https://example.com:/": "malformed",
    "https://example.com:0/": "malformed",
    "https://example.com:99999/": "malformed",
    "https://example.com:٤٤٣/": "malformed",
    "https://[::1/": "malformed",
    "https://exa\u00admple.com/": "malformed",
    "https://example.com/" + "a" * 2048: "too_long",
    "http://example.com/": "https_required",
    "ftp://example.com/": "https_required",
    "file://example.com/etc/passwd": "https_required",
    "https://user@example.com/": "userinfo",
    "https://user:pass@example.com/": "userinfo",
    "https://@example.com/": "userinfo",
    "https://example.com@127.0.0.1/": "userinfo",
    "https://example.com/#part": "fragment",
    "https://example.com/#": "fragment",
    "https://example.com:22/": "port_not_allowed",
    "https://example.com:6379/": "port_not_allowed",
    "https://example.com:80/": "port_not_allowed",
    "https://example.com./": "trailing_dot",
    "https://localhost./": "trailing_dot",
    "https://127.0.0.1./": "trailing_dot",
    "http://127.1": "odd_literal",
    "https://127.1/": "odd_literal",
    "https://2130706433/": "odd_literal",
    "https://0x7f.1/": "odd_literal",
    "https://0x7f000001/": "odd_literal",
    "https://0177.0.0.1/": "odd_literal",
    "https://127.0.0.01/": "odd_literal",
    "https://0/": "odd_literal",
    "https://1.2.3.4.5/": "odd_literal",
    "https://example.0x1/": "odd_literal",
    "https://１２７.０.０.１/": "host_name",
    "https://①②⑦.0.0.1/": "odd_literal",
    "https://127。0。0。1/": "host_name",
    "https://%31%32%37.0.0.1/": "odd_literal",
    "https://exa%6dple.com/": "host_name",
    "https://[::1%lo]/": "scoped",
    "https://[::1%25lo]/": "scoped",
    "https://[::1]/": "loopback",
    "https://[::]/": "unspecified",
    "https://[::ffff:127.0.0.1]/": "loopback",
    "https://[::ffff:7f00:1]/": "loopback",
    "https://[64:ff9b::a9fe:a9fe]/": "nat64",
    "https://[2002:7f00:1::]/": "six_to_four",
    "https://[127.0.0.1]/": "malformed",
    "https://[v1.abc]/": "odd_literal",
    "https://127.0.0.1/": "loopback",
    "https://169.254.169.254/latest/meta-data/": "link_local",
    "https://10.0.0.1:8443/": "private",
    "https://8.8.8.8/": "ip_literal",
    "https://[2001:4860:4860::8888]/": "ip_literal",
    "https://localhost/": "host_name",
    "https://LOCALHOST/": "host_name",
    "https://hook.localhost/": "host_name",
    "https://postgres/": "host_name",
    "https://еxample.com/": "host_name",  # Cyrillic е
    "https://gοοgle.com/": "host_name",  # Greek ο
    "https://ⓔxample.com/": "host_name",
    "https://example\u212a.com/": "host_name",  # the Kelvin sign, which becomes an ASCII k when lowered
    "https://ｅxample.com/": "host_name",
    "https://xn--a/": "host_name",
    "https://xn--zzzzzzzz.com/": "host_name",
    "https://-a.example.com/": "host_name",
    "https://a..example.com/": "host_name",
    "https://.example.com/": "host_name",
    "https://a_b.example.com/": "host_name",
    "https://exa,mple.com/": "host_name",
    "https://" + "a" * 64 + ".com/": "host_name",
    "https://" + "a." * 130 + "com/": "host_name",
}


@pytest.mark.parametrize(("url", "reason"), REFUSED_URLS.items(), ids=ascii)
def test_a_url_is_refused(url: str, reason: str) -> None:
    problem = check_url(url, NOTHING)
    assert problem is not None
    assert (problem.code, problem.reason) == ("target_not_allowed", reason)
    assert problem.zh and problem.en


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/hook?a=1&b=%2F",
        "https://EXAMPLE.com:443/",
        "https://example.com:8443/hook",
        "https://hook.bank-4302.com.cn/路径?名=值",
        "https://例子.中国/hook",
        "https://xn--fsqu00a.xn--fiqs8s/hook",
        "https://example.com/" + "a" * 2028,
    ],
)
def test_a_public_https_url_may_be_tried(url: str) -> None:
    assert check_url(url, NOTHING) is None


def test_a_chinese_host_and_its_ascii_form_are_the_same_target() -> None:
    written = read_target("https://例子.中国/hook", NOTHING)
    assert written.host == written.url.raw_host == "xn--fsqu00a.xn--fiqs8s"
    assert written.url == read_target("https://XN--FSQU00A.xn--fiqs8s/hook", NOTHING).url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/hook",
        "http://127.8.9.10/hook",
        "https://127.0.0.1:22/hook",
        "http://[::ffff:127.0.0.1]:9000/hook",
        "http://localhost:9000/hook",
        "https://localhost:9000/hook",
        "https://line.bank.example:9443/hook",
    ],
)
def test_with_an_opened_range_plain_http_and_other_ports_may_be_tried_there(url: str) -> None:
    assert check_url(url, LOOPBACK) is None
    assert check_url(url, NOTHING) is not None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "https_required"),
        ("http://8.8.8.8/", "ip_literal"),
        ("http://10.0.0.1/", "private"),
        ("http://[::1]/", "loopback"),
        ("http://[2002:7f00:1::]/", "six_to_four"),
        ("http://127.1/", "odd_literal"),
        ("http://2130706433/", "odd_literal"),
        ("http://localhost./", "trailing_dot"),
        ("http://hook.localhost/", "https_required"),
        ("http://user@127.0.0.1/", "userinfo"),
        ("http://127.0.0.1/#a", "fragment"),
    ],
)
def test_an_opened_range_opens_nothing_else(url: str, reason: str) -> None:
    problem = check_url(url, LOOPBACK)
    assert problem is not None and problem.reason == reason


def test_all_refused_addresses_read_the_same_to_a_subscriber() -> None:
    texts = {
        (problem.zh, problem.en)
        for url in ("https://10.0.0.1/", "https://127.0.0.1/", "https://[fe80::1]/")
        if (problem := check_url(url, NOTHING))
    }
    assert len(texts) == 1


@pytest.mark.parametrize("port", [443, 8443, 22, 80, 9000])
@pytest.mark.parametrize("is_plain", [False, True])
def test_at_connect_time_a_public_address_needs_https_and_a_known_port(port: int, is_plain: bool) -> None:
    reason = connection_problem(PUBLIC, port, is_plain=is_plain, allow=LOOPBACK)
    assert (reason is None) == (port in PORTS and not is_plain)
    assert connection_problem("127.0.0.1", port, is_plain=is_plain, allow=LOOPBACK) is None
    assert connection_problem("127.0.0.1", port, is_plain=is_plain, allow=NOTHING) == "loopback"


@given(st.text(max_size=60).map(lambda text: "https://" + text))
def test_no_text_breaks_the_judgement_and_none_becomes_an_inner_host(url: str) -> None:
    if check_url(url, NOTHING) is None:
        target = read_target(url, NOTHING)
        assert target.address is None and target.port in PORTS and not target.is_plain
        assert target.host.isascii() and "." in target.host and target.url.raw_host == target.host
