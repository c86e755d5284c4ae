"""Names a browser and its machine from what it calls itself."""

# The first that occurs in the text names it: browsers also name those they are like.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_MACHINES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str) -> str:
    """`Firefox on Linux`; the text itself for a program that is no browser."""
    browser = _find(_BROWSERS, user_agent)
    machine = _find(_MACHINES, user_agent)
    if not browser:
        return user_agent[:60] or "A browser that does not say which"
    return f"{browser} on {machine}" if machine else browser


def _find(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in names if mark in text), "")
