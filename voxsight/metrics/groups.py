"""Groups of recordings by age, pitch and duration.

Conventions
-----------
Bands are given as pairs (upper limit, name), from low to high; a number lies in the first band
whose limit is greater than it. Ages are in years, as numbers or as text; pitch is the median
fundamental frequency of a recording in Hz; durations are in seconds. None or an empty text
means that the number is not known.
"""

from collections.abc import Iterable

AGE_BANDS = ((18, "under 18"), (30, "18 to 29"), (45, "30 to 44"), (60, "45 to 59"),
             (120, "60 and over"))
PITCH_BANDS_HZ = ((130, "under 130 Hz"), (165, "130 to 165 Hz"), (200, "165 to 200 Hz"),
                  (1e9, "200 Hz and over"))
HIGH_FOR_MEN_HZ, LOW_FOR_WOMEN_HZ = 180, 160  # beyond them, pitch speaks for the other label
DURATION_BANDS_S = ((0.5, "under 0.5 s"), (1, "0.5 to 1 s"), (2, "1 to 2 s"), (5, "2 to 5 s"),
                    (1e9, "5 s and over"))
UNKNOWN = "not stated"


def band(value: float | str | None, bands: Iterable[tuple[float, str]]) -> str:
    """Name of the band that a number lies in.

    Parameters
    ----------
    value : float, str or None
        A number, also as text; None or empty if it is not known.
    bands : iterable of (float, str)
        Upper limit and name of each band.

    Returns
    -------
    str
        `UNKNOWN` if the number is not known, is none, or is beyond the bands.

    Examples
    --------
    >>> band("29", AGE_BANDS), band(130, PITCH_BANDS_HZ), band(None, AGE_BANDS)
    ('18 to 29', '130 to 165 Hz', 'not stated')
    >>> band("thirties", AGE_BANDS), band("130", AGE_BANDS), band("-1", AGE_BANDS)
    ('not stated', 'not stated', 'not stated')
    """
    try:
        number = float("nan" if value in (None, "") else value)
    except ValueError:
        return UNKNOWN
    return next((name for limit, name in bands if 0 <= number < limit), UNKNOWN)


def unusual_pitch(gender: str, f0_hz: float | None) -> str:
    """Group of a recording by whether its pitch is unusual for its label.

    Parameters
    ----------
    gender : str
        Label that the corpus states.
    f0_hz : float or None
        Median fundamental frequency, Hz.

    Returns
    -------
    str

    Examples
    --------
    >>> unusual_pitch("male", 190.0), unusual_pitch("male", 110.0)
    ('men above 180 Hz', 'everyone else')
    """
    if f0_hz is None:
        return UNKNOWN
    if gender == "male" and f0_hz > HIGH_FOR_MEN_HZ:
        return f"men above {HIGH_FOR_MEN_HZ} Hz"
    if gender == "female" and f0_hz < LOW_FOR_WOMEN_HZ:
        return f"women below {LOW_FOR_WOMEN_HZ} Hz"
    return "everyone else"


def band_order(group: str) -> tuple[str, int, str]:
    """Sort key of the name of a group: bands from low to high, everything else by name.

    Parameters
    ----------
    group : str
        A band, such as ``under 18``, which may follow another group, as in
        ``female, under 130 Hz``; or any other name.

    Returns
    -------
    tuple

    Examples
    --------
    >>> sorted(["30 to 44", "under 18", "18 to 29"], key=band_order)
    ['under 18', '18 to 29', '30 to 44']
    """
    names = [name for bands in (AGE_BANDS, PITCH_BANDS_HZ, DURATION_BANDS_S) for _, name in bands]
    first, _, last = group.rpartition(", ")
    return first, names.index(last) if last in names else len(names), last
