"""The text by which cores share the products of a large run, piece by piece.

The thread that takes the steps writes a product on a desk and takes its pieces, as does every helper that is awake. A
helper that the operating system keeps waiting holds nothing up but a piece that it has begun. Each entry is computed by
a single thread, the same sum in the same order, so that the bits do not depend on who computes what.
"""

from collections.abc import Sequence
from string import Template

import numpy as np
import numpy.typing as npt

PARTS = 4
"""Pieces of a column group of a product: so many parts of its rows."""

DESK = ("ticket", "done", "over", "function", "a", "b", "minus", "out")
"""What stands on the desk, each as an integer of 64 bits in a cache line of its own."""

LINE = 8
"""Integers of a cache line."""

TEXT = """
    // A ticket is the number of the product, of its pieces, and of those that are taken. What else stands on the desk
    // is that of the ticket as long as a piece of it is not done.
    enum { $places };
    static void wait() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    static void piece_of(int function, const T* a, const T* b, const T* minus, T* out, int only) {
        switch (function) {
            $cases
        }
    }
    static bool take_piece(Count* desk) {
        Count seen = __atomic_load_n(desk + TICKET, __ATOMIC_ACQUIRE);
        const int taken = seen & 0xffff;
        if (taken >= ((seen >> 16) & 0xffff)) return false;
        if (!__atomic_compare_exchange_n(desk + TICKET, &seen, seen + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return true;
        piece_of(desk[FUNCTION], (const T*)desk[A], (const T*)desk[B], (const T*)desk[MINUS], (T*)desk[OUT], taken);
        __atomic_fetch_add(desk + DONE, 1, __ATOMIC_RELEASE);
        return true;
    }
    static void share(Count* desk, int function, int pieces, const T* a, const T* b, const T* minus, T* out) {
        desk[FUNCTION] = function; desk[A] = (Count)a; desk[B] = (Count)b; desk[MINUS] = (Count)minus;
        desk[OUT] = (Count)out;
        __atomic_store_n(desk + DONE, 0, __ATOMIC_RELAXED);
        const Count number = (desk[TICKET] >> 32) + 1;
        __atomic_store_n(desk + TICKET, (number << 32) | (Count(pieces) << 16), __ATOMIC_RELEASE);
        while (take_piece(desk)) {}
        while (__atomic_load_n(desk + DONE, __ATOMIC_ACQUIRE) < pieces) wait();
    }
    static void help(Count* desk) {
        while (!__atomic_load_n(desk + OVER, __ATOMIC_ACQUIRE))
            if (!take_piece(desk)) wait();
    }
"""

STORAGE = "if (steps < 0) { Block::help((Count*)runs.desk.data); return; }"
"""A launch with fewer than no steps helps another."""


def text(functions: Sequence[str]) -> str:
    """The functions by which products are shared, from the names of those that compute them."""
    places = ", ".join(f"{name.upper()} = {LINE * place}" for place, name in enumerate(DESK))
    cases = " ".join(f"case {place}: {name}(a, b, minus, out, only); break;" for place, name in enumerate(functions))
    return Template(TEXT).substitute(places=places, cases=cases)


def new_desk() -> npt.NDArray[np.int64]:
    """An empty desk, which begins with a cache line."""
    memory = np.zeros(LINE * (len(DESK) + 1), dtype=np.int64)
    begin = -memory.ctypes.data % (8 * LINE) // 8
    return memory[begin : begin + LINE * len(DESK)]


def end(desk: npt.NDArray[np.int64]) -> None:
    """Send the helpers home."""
    desk[LINE * DESK.index("over")] = 1
