"""Sentences as data: a template with named fields, and the typed values that go in."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from string import Formatter
from typing import Annotated, Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from explain.record.base import Record, Unit
from explain.record.wording import (
    ENGLISH,
    Wording,
    decimal,
    estimated,
    percent,
    points,
    quoted,
    signed,
)

__all__ = [
    "Estimate",
    "Sentence",
    "SentenceLike",
    "SentenceValue",
    "fields_of",
    "join_sentences",
    "without_full_stop",
]


_NUMBER_FORMAT = re.compile(r"([+]?([.][0-9])?[defg])?")
"""No widths: a record of somebody else could ask for a gigabyte of spaces."""


class Estimate(Record):
    """A number with its interval and the number of instances behind it."""

    value: float | None
    """The estimate; None where it is undefined (no row, say)."""
    lower: float | None = None
    """Lower end of the 95 % interval, in the unit of `value`."""
    upper: float | None = None
    """Upper end of the 95 % interval, in the unit of `value`."""
    n: int
    """Number of instances that the estimate rests on."""
    unit: Unit = "proportion"
    """Unit of `value`, `lower` and `upper`; log-odds are natural logarithms."""


SentenceValue: TypeAlias = "Estimate | Sentence | tuple[str, ...] | str | int | float | None"
"""What goes into a field of a template; what a catalogue shall translate goes in as a sentence."""

Translation: TypeAlias = Callable[[str], str]
"""What finds the template of another language, and leaves alone what has none."""


class Sentence(str):
    """What is said to a reader; as a string it is the sentence in English.

    Fields of the template are ``{name}``, ``{name:format}`` or, of an estimate, ``{name.n}``. The
    formats are those of `str.format` for numbers, with a real minus sign, and

    - of a whole number: thousands separators, where no format is given, and ``row|rows`` for the
      word that goes with it;
    - of a share: ``percent``; of a difference of shares: ``points``, with its sign and unit;
    - of an estimate: its value with its interval as ``percent`` (where no format is given) or
      ``points``, or as another number;
    - of a text: ``quoted``; of several texts: ``and``, ``or``, and each ``quoted-and`` or
      ``quoted-or``.

    Parameters
    ----------
    template : str
        The sentence with its fields. It is a constant, as catalogues of translations are keyed by
        it; what a user wrote is a value.
    **values
        One value per field. Of a measure its estimate is kept.

    Examples
    --------
    >>> Sentence("{share:percent} of {n} {n:row|rows}", share=.5, n=1200)
    '50 % of 1,200 rows'
    """

    template: str
    values: Mapping[str, SentenceValue]

    def __new__(cls, template: str, /, **values: "SentenceValue | Sequence[str]") -> "Sentence":
        """Return the sentence; see the class."""
        kept = {name: _value(value) for name, value in values.items()}
        sentence = super().__new__(cls, _ENGLISH.vformat(template, (), kept))
        sentence.template, sentence.values = template, kept
        return sentence

    def translated(
        self, translation: Translation, wording: Wording, own_fields: Collection[str] = ()
    ) -> "Sentence":
        """Return the sentence in another language, with the values as they are.

        Values that are sentences are translated; other texts are names and data.

        Parameters
        ----------
        translation : callable
            Returns the template of the other language, which has the same fields in any order.
        wording : Wording
            How that language writes numbers and lists.
        own_fields : collection of str
            Fields whose texts are translated though they are no sentences.
        """

        def of_language(value: SentenceValue, is_own: bool) -> SentenceValue:
            if isinstance(value, tuple):
                return tuple(str(of_language(each, is_own)) for each in value)
            if isinstance(value, Sentence):
                return value.translated(translation, wording, own_fields)
            return translation(value) if is_own and isinstance(value, str) else value

        values = {name: of_language(v, name in own_fields) for name, v in self.values.items()}
        text = _Filler(wording).vformat(translation(self.template), (), values)
        sentence = super().__new__(type(self), text)
        sentence.template, sentence.values = self.template, self.values
        return sentence

    def __reduce__(self) -> tuple[Callable[..., "Sentence"], tuple[str, Mapping[str, Any]]]:
        return _sentence, (self.template, self.values)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read, serialization=core_schema.plain_serializer_function_ser_schema(_dump)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        template = {"template": {"type": "string"}, "values": {"type": "object"}}
        return {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": template, "required": [*template]},
            ]
        }


SentenceLike: TypeAlias = Annotated[str, Sentence]
"""A sentence, or a string that has no fields: a constant, or what somebody else wrote."""


def fields_of(template: str) -> tuple[str, ...]:
    """Return the names of the values of a template, in its order, each once.

    Examples
    --------
    >>> fields_of("{share} of {share.n} are {label:quoted}")
    ('share', 'label')
    """
    names = (name.split(".")[0] for _, name, _, _ in Formatter().parse(template) if name)
    return tuple(dict.fromkeys(names))


def join_sentences(*sentences: str, by: str = " ") -> str:
    """Return sentences as one, without those that are empty.

    Examples
    --------
    >>> join_sentences("One row.", "", Sentence("{n} columns.", n=2))
    'One row. 2 columns.'
    """
    some = [sentence for sentence in sentences if sentence]
    if len(some) < 2:
        return some[0] if some else ""
    values = {f"s{number}": sentence for number, sentence in enumerate(some)}
    return Sentence(by.join(f"{{{name}}}" for name in values), **values)


def without_full_stop(text: str) -> str:
    """Return a text to be set into a sentence; one with values keeps them, and has no full stop.

    Examples
    --------
    >>> without_full_stop("The disk is full.")
    'The disk is full'
    """
    return text if isinstance(text, Sentence) else text.removesuffix(".")


def _sentence(template: str, values: Mapping[str, SentenceValue]) -> Sentence:
    return Sentence(template, **values)


def _value(value: Any) -> SentenceValue:
    if isinstance(value, Estimate):
        # Of a measure, which is an estimate with a name, the numbers alone.
        return Estimate(**{name: getattr(value, name) for name in Estimate.model_fields})
    if isinstance(value, dict):
        return _read(value) if "template" in value else Estimate.model_validate(value)
    if isinstance(value, str | int | float | None):
        return value
    return tuple(map(_text, value))


def _text(value: Any) -> str:
    if isinstance(value, Sentence):
        return value
    return _read(value) if isinstance(value, dict) else str(value)


def _read(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or set(value) != {"template", "values"}:
        raise ValueError("neither a string nor a template with its values")
    try:
        return Sentence(value["template"], **value["values"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a template and its values do not fit: {error!r}") from error


def _dump(value: Any) -> Any:
    if isinstance(value, Estimate):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_dump(each) for each in value]
    if not isinstance(value, Sentence):
        return value
    values = {name: _dump(inner) for name, inner in value.values.items()}
    return {"template": value.template, "values": values}


class _Filler(Formatter):
    """Fills templates; nothing but the values and the fields of estimates can be reached."""

    def __init__(self, wording: Wording) -> None:
        self.wording = wording

    def vformat(self, format_string: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return a filled template; how text and values are joined, the wording says."""
        text = ""
        for literal, name, spec, conversion in self.parse(format_string):
            text = self.wording.join(text, literal)
            if name is not None:
                value, _ = self.get_field(name, args, kwargs)
                value = self.convert_field(value, conversion)
                text = self.wording.join(text, self.format_field(value, spec or ""))
        return text

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, str]:
        name, *fields = field_name.split(".")
        value = kwargs[name]
        for field in fields:
            if not isinstance(value, Estimate) or field not in Estimate.model_fields:
                raise ValueError(f"{name!r} has no field {field!r}")
            value = getattr(value, field)
        return value, name

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, tuple):
            return self._several(value, format_spec)
        if isinstance(value, str):
            return quoted(value, self.wording) if format_spec == "quoted" else value
        if isinstance(value, Estimate):
            return self._estimate(value, format_spec)
        return self._number(value, format_spec)

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        if conversion is not None:
            raise ValueError(f"a field cannot be converted with !{conversion}")
        return value

    def _estimate(self, value: Estimate, spec: str) -> str:
        if spec == "points":
            return points(value, self.wording)
        if spec in ("", "percent"):
            return estimated(value, self.wording)
        ends = (value.value, value.lower, value.upper)
        number, *interval = (self._number(end, spec) for end in ends)
        return number if value.lower is None else f"{number} [{', '.join(interval)}]"

    def _several(self, texts: tuple[str, ...], spec: str) -> str:
        *is_quoted, joint = spec.split("-")
        named = [quoted(text, self.wording) for text in texts] if is_quoted else texts
        return self.wording.list_of(named, joint)

    def _number(self, value: float | None, spec: str) -> str:
        if value is None:
            return self.wording.no_number
        if spec == "percent":
            return percent(value, self.wording)
        if spec == "points":
            return signed(100 * value, 1) + self.wording.points
        if "|" in spec:
            one, several = spec.split("|")
            return one if value == 1 else several
        if not _NUMBER_FORMAT.fullmatch(spec):
            raise ValueError(f"a number has no format {spec!r}")
        if isinstance(value, int):
            return decimal(value, 0) if not spec else format(value, spec).replace("-", "−")
        return format(value, spec or "g").replace("-", "−")


_ENGLISH = _Filler(ENGLISH)
