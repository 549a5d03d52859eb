"""What goes in and out: `Fields` is the base of what a program sends, `Resource` of what it is shown.

The rules: what is sent is read as JSON is (a time and an id are strings, and a string is no number), and nothing in it
is dropped; what is shown has every field always, null where there is nothing. Give each an example:
`model_config = example(id="…", …)`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, cast

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

CREDITS_MAX = 10**12
"""More credits are no sum that anybody means."""


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(_in_utc, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A moment as it is shown: RFC 3339, in UTC."""


Day = Annotated[str, Field(json_schema_extra={"format": "date"})]
"""A day as it is shown."""


def _of_our_time(moment: datetime) -> datetime:
    if not _BEGINNING <= moment <= _END:
        raise ValueError("This must be a moment between the years 2000 and 2200.")
    return moment


_BEGINNING, _END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
When = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
"""A moment as it is sent, with its zone: one that can be reckoned with."""

Amount = Annotated[int, Field(ge=0, le=CREDITS_MAX)]
"""A sum of credits, or of money in minor units, as it is sent."""


def example(**values: Any) -> ConfigDict:
    """The configuration of a model with one example."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def example_like(model: type[BaseModel], **more: Any) -> ConfigDict:
    """The same for a model that shows more than another one, whose example it begins with."""
    return example(**{**first_example(model), **more})


def first_example(model: type[BaseModel]) -> dict[str, Any]:
    """A model's example, to stand in another one's."""
    extra: Any = model.model_config.get("json_schema_extra")
    found: dict[str, Any] = extra["examples"][0]
    return found


class Resource(BaseModel):
    """What a program is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Fields(BaseModel):
    """What a program sends; `sent()` says which of it, where leaving something out means that it stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    def sent(self) -> dict[str, Any]:
        """The fields that were sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        # The framework hands over what it has parsed. Strictly read as Python's values, a string is no UUID and no
        # time; read as JSON it is, and still no number. So it is read as the JSON that it was.
        inner: dict[str, Any] = {**handler.resolve_ref_schema(handler(source))}
        name = inner.pop("ref", None)

        def read(value: Any, _read: Any) -> "Fields":
            return value if isinstance(value, cls) else cls.model_validate_json(orjson.dumps(value))

        return core_schema.json_or_python_schema(
            cast(CoreSchema, inner),
            core_schema.no_info_wrap_validator_function(read, cast(CoreSchema, inner)),
            ref=name,
        )
