"""Names for the types of pyarrow, which says nothing of them itself; they cost no import of it."""

from typing import Any, TypeAlias

Array: TypeAlias = Any
DataType: TypeAlias = Any
RecordBatch: TypeAlias = Any
Schema: TypeAlias = Any
Table: TypeAlias = Any
