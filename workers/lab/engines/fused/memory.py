"""The arrays of a step in the layout by columns: their padded sizes and where they stand in the workspace."""

from dataclasses import dataclass, field

from workers.lab.engines.fused.program import Program

ALIGNMENT = 64
"""Bytes to which arrays are aligned."""

UNLUCKY_BYTES = 1024
"""Rows a multiple of so many bytes apart share so few sets of the first-level cache that a tile's do not fit."""

TABLE_BYTES = 24
"""Bytes of a block for each table: a pointer, a stride, and whether the lanes share both."""


@dataclass
class Memory:
    """Offsets of arrays in the workspace of a program.

    Attributes:
        program: the program.
        size: numbers that are taken.
        offsets: offset of each array, by name.
    """

    program: Program
    size: int = 0
    offsets: dict[str, int] = field(default_factory=dict[str, int])

    def stride(self, columns: int) -> int:
        """Numbers of a padded row."""
        padded = -(-columns // self.program.chunk) * self.program.chunk
        is_unlucky = padded * self.program.item_bytes % UNLUCKY_BYTES == 0
        return padded + is_unlucky * ALIGNMENT // self.program.item_bytes

    def chunks(self, rows: int, columns: int) -> int:
        """Chunks of a padded matrix."""
        return rows * self.stride(columns) // self.program.chunk

    def declared(self, name: str, rows: int, columns: int) -> str:
        """Declaration of a matrix as an array of chunks; the same name is the same memory."""
        if name not in self.offsets:
            self.offsets[name] = self.take(rows * self.stride(columns))
        return f"V* const {name} = (V*)(work + {self.offsets[name]});"

    def block(self) -> int:
        """Space for a block, with the pointer in it; returns its offset."""
        program = self.program
        numbers = program.state_numbers + 2 * program.cells + max(1, len(program.constants))
        numbers += TABLE_BYTES * len(program.tables) // program.item_bytes
        return self.take(numbers + ALIGNMENT // program.item_bytes)

    def take(self, numbers: int) -> int:
        """Space for an aligned array; returns its offset."""
        offset, unit = self.size, ALIGNMENT // self.program.item_bytes
        self.size += -(-numbers // unit) * unit
        return offset
