"""What protocols ask of urls. Any text is accepted; nothing raises."""

from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """The host in lower case; "" if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def absolute(url: str, host: str) -> str:
    """The url with a host, if it is only a path and the host is known."""
    return f"https://{host}{url}" if host and url.startswith("/") and not url.startswith("//") else url
