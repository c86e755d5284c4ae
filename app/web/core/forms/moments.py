"""Times that people type: in one zone, which stands beside the field and travels with the form.

It is the browser's, which the script puts into the form's field `zone`; without a script it is the
service's.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput
from app.domain.rules.hours import is_zone
from app.domain.times import read_local
from app.web.core.forms.form import Form

ZONE = "zone"
# Of the two times that a repeated hour makes of one: the first and the second.
FOLDS = ("0", "1")
# No zone moves its clocks by more at once; the provider's zone rules are of minutes.
_SEARCHED = timedelta(hours=3)
_MINUTE = timedelta(minutes=1)


def read_zone(form: Form, usual: ZoneInfo) -> ZoneInfo:
    """The zone that the form's times are in; the service's where it names none that we know."""
    name = form.text(ZONE)
    return ZoneInfo(name) if name and is_zone(name) else usual


def read_moment(form: Form, name: str, usual: ZoneInfo) -> datetime | None:
    """A time of a form, in UTC; None where it is left empty.

    Raises InvalidInput with the field: for a time that does not exist, for a repeated one unless
    the field `<name>_fold` says which, and for a zone that is not known here.
    """
    text = form.text(name)
    if not text:
        return None
    zone = read_zone(form, usual)
    if form.text(ZONE) not in ("", zone.key):
        form.unknown_zone = True
        raise InvalidInput(
            f"the browser's time zone is not known here; read in {zone.key} time instead: check it"
            " and send the form again",
            field=name,
        )
    moment, doubt = read_local(text, zone)
    if moment is None:
        raise InvalidInput("enter a date and a time", field=name)
    if doubt == "time":
        raise InvalidInput(_explain_gap(moment, zone), field=name)
    if doubt == "time-ambiguous":
        return _choose(form, name, text, zone)
    return moment


def write_moment(moment: datetime, zone: ZoneInfo) -> str:
    """The value of a browser's field for a date and time."""
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"


def write_fold(moment: datetime, zone: ZoneInfo) -> str:
    """Which of two equal times of the clock a moment is: one of FOLDS."""
    return FOLDS[moment.astimezone(zone).fold]


def write_local(moment: datetime, zone: ZoneInfo) -> str:
    """As people read it where no script shows it in their zone: `29 Nov 2026, 05:51 GMT`."""
    local = moment.astimezone(zone)
    name, offset = f"{local:%Z}", f"{local:%z}"
    # Some zones have no letters, only an offset.
    written = name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:]}"
    return f"{local:%-d %b %Y, %H:%M} {written}"


def _choose(form: Form, name: str, text: str, zone: ZoneInfo) -> datetime:
    """The one of two moments that the person means."""
    naive = datetime.fromisoformat(text)
    moments = [naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    names = ("before", "after")
    form.repeated[name] = [
        (fold, f"{write_local(each, zone)}, {when} the clocks go back")
        for fold, each, when in zip(FOLDS, moments, names, strict=True)
    ]
    fold = form.text(f"{name}_fold")
    if fold not in FOLDS:
        raise InvalidInput(
            f"this time comes twice in {zone.key}, because the clocks go back: choose which one",
            field=name,
        )
    return moments[int(fold)]


def _explain_gap(moment: datetime, zone: ZoneInfo) -> str:
    """`moment` is what the skipped time would be without the change, so it is after it."""
    offset = moment.astimezone(zone).utcoffset()
    change = moment
    while (change - _MINUTE).astimezone(zone).utcoffset() == offset and moment - change < _SEARCHED:
        change -= _MINUTE
    before = (change - _MINUTE).astimezone(zone).replace(tzinfo=None) + _MINUTE
    after = change.astimezone(zone)
    return (
        f"this time does not exist in {zone.key}: the clocks go from {before:%H:%M} to"
        f" {after:%H:%M} that night; choose another"
    )
