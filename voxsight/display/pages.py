"""HTML pages from the templates of this package; a page needs no other host."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """A whole HTML page.

    Parameters
    ----------
    template : str
        File name of a template in ``display/templates``, such as ``card.html.j2``. Its head
        lists the values that it needs.
    **values
        Values of the template. Text is escaped.

    Returns
    -------
    str

    Raises
    ------
    jinja2.UndefinedError
        If a value that the template needs is missing.

    Examples
    --------
    >>> page = render("card.html.j2", introduction=["a < b"], tables=[])
    >>> "<p>a &lt; b</p>" in page
    True
    """
    return _environment().get_template(template).render(values)


@functools.lru_cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("voxsight.display"), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                              keep_trailing_newline=True)
    # Keys stay in their order: the columns of a recording are read out in it.
    environment.policies["json.dumps_kwargs"] = {}
    return environment
