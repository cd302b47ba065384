"""Data frames on their way to Arrow, converted by the meaning of their columns."""

from __future__ import annotations

from typing import Any


def exportable(frame: Any) -> Any:  # noqa: ANN401 - of any library
    """Return an object that exports a frame to Arrow; of pandas with columns in native byte order.

    Other objects than frames of pandas are returned unchanged.
    """
    if type(frame).__module__.split(".")[0] != "pandas" or not hasattr(frame, "columns"):
        return frame
    swapped = {
        place: kind.newbyteorder("=")
        for place, kind in enumerate(frame.dtypes)
        if getattr(kind, "byteorder", "=") not in "=|" and not kind.isnative
    }
    if swapped and frame.columns.is_unique:
        frame = frame.astype({frame.columns[place]: kind for place, kind in swapped.items()})
    return _Named(frame)


class _Named:
    """A frame of pandas that names the column where its export to Arrow fails."""

    def __init__(self, frame: Any) -> None:  # noqa: ANN401
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        try:
            return self._frame.__arrow_c_stream__(requested_schema)
        except (ValueError, TypeError, NotImplementedError) as error:
            # pyarrow names the column in another argument.
            what = "; ".join(str(part) for part in error.args)
            raise TypeError(
                f"Arrow cannot take the data frame: {what}; cast the column, or leave it out"
            ) from error
