"""Which URLs a webhook may be sent to, judged before any packet is sent."""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna
from yarl import URL

from services.notifications.addresses import Address, AllowList, address_allowed, address_problem
from shared.problems import Text

__all__ = ["AllowList", "Target", "TargetProblem", "TargetRefused", "address_allowed", "check_url", "read_target"]

LONGEST_URL = 2048
PORTS = frozenset({443, 8443})
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_SPLIT = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_TEXTS = {
    "malformed": Text("地址不是有效的网址。", "The address is not a valid URL."),
    "too_long": Text("网址超过 2048 个字符。", "The URL is longer than 2048 characters."),
    "https_required": Text("地址必须使用 https。", "The URL must use https."),
    "userinfo": Text("网址中不得含有用户名或密码。", "The URL must not contain a user name or password."),
    "fragment": Text("网址中不得含有 # 片段。", "The URL must not contain a fragment."),
    "port_not_allowed": Text("端口只能是 443 或 8443。", "The port must be 443 or 8443."),
    "trailing_dot": Text("主机名不得以点结尾。", "The host name must not end with a dot."),
    "odd_literal": Text("主机不得写成非标准的数字形式。", "The host must not be written in an unusual numeric form."),
    "ip_literal": Text("请使用主机名，不要使用 IP 地址。", "Use a host name, not an IP address."),
    "host_name": Text("主机名无效，或不是公网域名。", "The host name is not valid, or not a public one."),
}
_NOT_PUBLIC = Text("目标地址不是允许访问的公网地址。", "The target is not an allowed public address.")


@dataclass(frozen=True)
class TargetProblem:
    """Why a target is refused: `reason` is for operators and metrics, the texts are for the subscriber."""

    reason: str
    zh: str
    en: str
    code: str = "target_not_allowed"

    @classmethod
    def of(cls, reason: str) -> "TargetProblem":
        """The problem with its texts; all address reasons read the same, so that they are no map of our networks."""
        text = _TEXTS.get(reason, _NOT_PUBLIC)
        return cls(reason, text.zh, text.en)


class TargetRefused(Exception):
    """Raised where a target is judged; deliberately no OSError, which would send the client on to the next address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.problem = TargetProblem.of(reason)


@dataclass(frozen=True)
class Target:
    """A URL fit to be sent to, as the client will use it: host in ASCII, nothing left to interpretation.

    `only_if_opened` names the reason to refuse it unless every address of the host lies in an allowed range.
    """

    url: URL
    host: str
    port: int
    is_plain: bool
    address: Address | None
    only_if_opened: str | None


def check_url(url: str, allow: AllowList) -> TargetProblem | None:
    """Judge a URL without looking up its host; None when it may be tried (the connection has the last word)."""
    try:
        read_target(url, allow)
    except TargetRefused as refused:
        return refused.problem
    return None


@lru_cache(maxsize=4096)  # the same few addresses are read for every delivery
def read_target(url: str, allow: AllowList) -> Target:
    """The target a URL stands for; raises TargetRefused."""
    authority, is_plain = _split(url)
    match = _AUTHORITY.fullmatch(authority)
    if match is None or not match["host"]:
        raise TargetRefused("malformed")
    port = int(match["port"] or (80 if is_plain else 443))
    if not 0 < port < 65536:
        raise TargetRefused("malformed")
    host, address = _host(match["host"])
    only_if_opened = None
    if address is None:
        only_if_opened = _name_condition(host, port, is_plain=is_plain, allow=allow)
    elif not allow.opens(address):
        raise TargetRefused(address_problem(address, allow) or "ip_literal")
    return Target(_as_client_reads_it(url, host, port), host, port, is_plain, address, only_if_opened)


def connection_problem(ip: str | bytes, port: int, *, is_plain: bool, allow: AllowList) -> str | None:
    """The decision at the moment of connecting, about the concrete address; None or the reason."""
    if reason := address_allowed(ip, allow):
        return reason
    text = ip.decode("ascii") if isinstance(ip, bytes) else ip
    if allow.opens(ipaddress.ip_address(text)):
        return None
    if is_plain:
        return "https_required"
    return None if port in PORTS else "port_not_allowed"


def _split(url: str) -> tuple[str, bool]:
    if len(url) > LONGEST_URL:
        raise TargetRefused("too_long")
    if "\\" in url or any(unicodedata.category(character)[0] in "CZ" for character in url):
        raise TargetRefused("malformed")
    match = _SPLIT.match(url)
    if match is None:
        raise TargetRefused("malformed")
    scheme, authority = match["scheme"].lower(), match["authority"]
    if scheme not in ("https", "http"):
        raise TargetRefused("https_required")
    if "@" in authority:
        raise TargetRefused("userinfo")
    if "#" in url:
        raise TargetRefused("fragment")
    return authority, scheme == "http"


def _host(written: str) -> tuple[str, Address | None]:
    """The host in ASCII, and its address where it is a literal."""
    if written.startswith("["):
        if "%" in written:
            raise TargetRefused("scoped")
        return _literal(written[1:-1], version=6)
    if written.endswith("."):
        raise TargetRefused("trailing_dot")
    if _NUMBER.fullmatch(written.rpartition(".")[2]):
        return _literal(written, version=4)
    return _name(written), None


def _literal(written: str, version: int) -> tuple[str, Address]:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        raise TargetRefused("odd_literal") from None
    if address.version != version:
        raise TargetRefused("malformed")
    return str(address), address


def _name(written: str) -> str:
    # Outside ASCII only Han characters may be written as such: look-alikes of Latin letters (Cyrillic, Greek, full
    # width) must come in their xn-- form, where they deceive nobody who reads the subscription.
    if not all(character.isascii() or _is_han(character) for character in written):
        raise TargetRefused("host_name")
    labels = written.lower().split(".")
    if not all(label and (not label.isascii() or _LABEL.fullmatch(label)) for label in labels):
        raise TargetRefused("host_name")
    try:
        if any(label.startswith("xn--") or not label.isascii() for label in labels):
            name = idna.encode(".".join(labels)).decode("ascii")
        else:
            name = ".".join(labels)
    except (idna.IDNAError, UnicodeError):
        raise TargetRefused("host_name") from None
    if len(name) > 253:
        raise TargetRefused("host_name")
    return name


def _is_han(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK UNIFIED IDEOGRAPH-")


def _name_condition(host: str, port: int, *, is_plain: bool, allow: AllowList) -> str | None:
    if is_plain:
        condition = "https_required"
    elif port not in PORTS:
        condition = "port_not_allowed"
    elif "." not in host or host.endswith(".localhost"):
        condition = "host_name"
    else:
        return None
    if not allow or (is_plain and host != "localhost"):
        raise TargetRefused(condition)
    return condition


def _as_client_reads_it(url: str, host: str, port: int) -> URL:
    """The parsed URL; refused when the client's parser sees another host or port than we judged."""
    try:
        parsed = URL(url)
        seen = (parsed.raw_host, parsed.port)
    except ValueError:
        raise TargetRefused("malformed") from None
    if seen != (host, port):
        raise TargetRefused("malformed")
    return parsed
