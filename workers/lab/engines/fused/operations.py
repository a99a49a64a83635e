"""The matrix operations of a step, in their order, whatever the layout of the numbers.

A step follows a balanced tree of products. With W = A B the signal S = dl/dW is pulled back to A as S B^T and to B as
A^T S, down to the factors. This takes 3 (L - 1) matrix products for depth L, of which only 2 log2(L) depend on each
other in a chain. For W = U U^T the signal is pulled back as (S + S^T) U. Linear measurements X of vec(W), row by row,
stand between W and the residual: dl/dW is X^T times the signal.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from workers.lab.engines.fused.program import Program


@dataclass(frozen=True)
class Matrix:
    """A matrix by the name of its array; `children` are the two matrices whose product it is, None for a factor."""

    name: str
    rows: int
    columns: int
    children: tuple["Matrix", "Matrix"] | None = None


@dataclass(frozen=True)
class Product:
    """out = left right, either transposed where it says so; out = left right - target for the residual."""

    out: Matrix
    left: Matrix
    right: Matrix
    left_transposed: bool = False
    right_transposed: bool = False
    minus_target: bool = False

    @property
    def inner(self) -> int:
        """Number of terms of each sum."""
        return self.left.rows if self.left_transposed else self.left.columns


@dataclass(frozen=True)
class Residual:
    """out = factor - target, for a single factor."""

    out: Matrix
    factor: Matrix


@dataclass(frozen=True)
class Symmetrized:
    """out = signal + its transpose."""

    out: Matrix
    signal: Matrix


@dataclass(frozen=True)
class Measured:
    """out = X vec(product) - target, a single row."""

    out: Matrix
    product: Matrix


@dataclass(frozen=True)
class Unmeasured:
    """vec(out) = X^T signal."""

    out: Matrix
    signal: Matrix


Operation = Product | Residual | Symmetrized | Measured | Unmeasured


def product_tree(program: Program) -> Matrix:
    """The product W as a balanced tree over the factors; a symmetric W is not in it, its factor is."""
    return _tree(program.shapes, 0, len(program.shapes))


def factor(number: int, shape: tuple[int, int]) -> Matrix:
    """A factor as a matrix."""
    return Matrix(f"factor{number}", *shape)


def residual_of(program: Program) -> Matrix:
    """W - target, or the measurements of W less theirs."""
    return Matrix("residual", program.observed_rows, program.observed_columns)


def signal_of(program: Program) -> Matrix:
    """The derivative of the loss in the residual: the weights times the residual."""
    return Matrix("signal", program.observed_rows, program.observed_columns)


def slope_of(program: Program) -> Matrix:
    """dl/dW: the signal, where entries are observed."""
    return Matrix("slope", program.rows, program.columns) if program.samples else signal_of(program)


def gradient_of(program: Program, number: int, shape: tuple[int, int]) -> Matrix:
    """The gradient of a factor."""
    is_product = program.symmetric or program.diagonal or len(program.shapes) > 1
    return _pulled(factor(number, shape)) if is_product else slope_of(program)


def forward(program: Program) -> Iterator[Operation]:
    """From the factors to the residual."""
    root, residual = product_tree(program), residual_of(program)
    if program.samples:
        whole = Matrix("whole", program.rows, program.columns)
        yield from _products(root)
        if program.symmetric:
            yield Product(whole, root, root, right_transposed=True)
        yield Measured(residual, whole if program.symmetric else root)
    elif program.symmetric:
        yield Product(residual, root, root, right_transposed=True, minus_target=True)
    elif root.children:
        left, right = root.children
        yield from _products(left)
        yield from _products(right)
        yield Product(residual, left, right, minus_target=True)
    else:
        yield Residual(residual, root)


def backward(program: Program) -> Iterator[Operation]:
    """From the signal to the gradient of every factor."""
    root, slope = product_tree(program), slope_of(program)
    if program.samples:
        yield Unmeasured(slope, signal_of(program))
    if program.symmetric:
        both = Matrix("both", root.rows, root.rows)
        yield Symmetrized(both, slope)
        yield Product(_pulled(root), both, root)
    else:
        yield from _pull_back(root, slope)


def _tree(shapes: tuple[tuple[int, int], ...], first: int, end: int) -> Matrix:
    if end - first == 1:
        return factor(first, shapes[first])
    middle = (first + end + 1) // 2
    children = _tree(shapes, first, middle), _tree(shapes, middle, end)
    return Matrix(f"product{first}_{end}", shapes[first][0], shapes[end - 1][1], children)


def _products(matrix: Matrix) -> Iterator[Operation]:
    """Products from the leaves up to `matrix`."""
    if matrix.children:
        left, right = matrix.children
        yield from _products(left)
        yield from _products(right)
        yield Product(matrix, left, right)


def _pull_back(matrix: Matrix, signal: Matrix) -> Iterator[Operation]:
    """Signals from `matrix` down; the signal of a leaf is the gradient of its factor."""
    if not matrix.children:
        return
    left, right = matrix.children
    yield Product(_pulled(left), signal, right, right_transposed=True)
    yield Product(_pulled(right), left, signal, left_transposed=True)
    yield from _pull_back(left, _pulled(left))
    yield from _pull_back(right, _pulled(right))


def _pulled(matrix: Matrix) -> Matrix:
    return Matrix(f"pulled_{matrix.name}", matrix.rows, matrix.columns)
