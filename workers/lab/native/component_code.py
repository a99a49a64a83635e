"""The code of `workers.lab.native.components`, and the layout of what it reads."""

from functools import lru_cache
from string import Template

import torch

from workers.lab.losses import SQUARES, FusedLoss
from workers.lab.native import objectives, tiles
from workers.runs.shapes import HIGHEST_ORDER

PADDING_BYTES = 64
"""Bytes to which the rows of factors are padded with zeros, and arrays are aligned."""

SCALARS = {torch.float64: "double", torch.float32: "float"}
PRECISIONS = {torch.float64: "float64", torch.float32: "float32"}

FIELDS = (
    *("part", "first_modes", "modes", "rank", "stride", "rows", "columns", "row_stride", "memory"),
    *("product", "starts", "entry_rows", "entry_columns", "targets", "weights", "parameters", "loss"),
)
"""What the code reads, as 64-bit integers: a part of PARTS, sizes and addresses. Then come, for all modes,
dimensions, addresses of gradients and of factors, and the distance of a factor's matrices."""

PARTS = MULTIPLY, PULL_BACK, EVALUATE = range(3)
"""The product, the gradients from that of the product, or all of it with the objective between the two."""

SOURCE = """
#pragma clang fp contract(off)
typedef $scalar T;
typedef long long Count;
#define WIDE __attribute__((noinline, min_vector_width($vector_bits)))
#define NEAR inline __attribute__((always_inline, min_vector_width($vector_bits)))
typedef T X __attribute__((ext_vector_type($width), aligned($item_bytes)));
typedef T H __attribute__((ext_vector_type($half), aligned($item_bytes)));
typedef T S __attribute__((ext_vector_type($sums), aligned($item_bytes)));
enum { $fields, FIELDS };

// The factors of one half of the modes, padded, their Khatri-Rao products mode by mode, and the gradients of both.
struct Half {
    int modes;
    const Count* dimensions;
    Count sizes[$most_modes];
    T *factors[$most_modes], *products[$most_modes], *factor_gradients[$most_modes], *gradients[$most_modes];
};

struct Code {
    $product
    $objective

    static T* take(T*& memory, Count numbers) {
        T* const taken = memory;
        memory += numbers;
        return taken;
    }

    // A row, padded with zeros.
    static void copy_row(const T* row, Count rank, Count stride, T* out) {
        __builtin_memcpy(out, row, rank * sizeof(T));
        for (Count r = rank; r < stride; ++r) out[r] = T(0);
    }

    // Copy the factors, and multiply all of them or all but the last.
    static void build(Half& half, int modes, bool all, const Count* dimensions, const Count* sources,
                      const Count* steps, Count run, Count rank, Count stride, T*& memory) {
        half.modes = modes;
        half.dimensions = dimensions;
        for (int k = 0; k < modes; ++k) {
            const Count size = dimensions[k];
            const T* source = (const T*)sources[k] + run * steps[k];
            half.factors[k] = take(memory, size * stride);
            half.factor_gradients[k] = take(memory, size * stride);
            for (Count i = 0; i < size; ++i) copy_row(source + i * rank, rank, stride, half.factors[k] + i * stride);
            half.sizes[k] = k ? half.sizes[k - 1] * size : size;
            half.products[k] = half.factors[0];
            half.gradients[k] = half.factor_gradients[0];
            if (!k || (k == modes - 1 && !all)) continue;
            half.products[k] = take(memory, half.sizes[k] * stride);
            half.gradients[k] = take(memory, half.sizes[k] * stride);
            multiply(half.products[k - 1], half.sizes[k - 1], half.factors[k], size, stride, half.products[k]);
        }
    }

    static WIDE void multiply(const T* before, Count rows, const T* factor, Count size,
                                                   Count stride, T* out) {
        for (Count i = 0; i < rows; ++i)
            for (Count j = 0; j < size; ++j)
                for (Count r = 0; r < stride; r += $width)
                    *(X*)(out + (i * size + j) * stride + r) =
                        *(const X*)(before + i * stride + r) * *(const X*)(factor + j * stride + r);
    }

    // Gradients of the factors from that of the product of the first `modes`; each is read once.
    static void pull_back(Half& half, int modes, Count stride) {
        for (int k = modes - 1; k > 0; --k) {
            zero(half.factor_gradients[k], half.dimensions[k] * stride);
            pull_back_through(half.gradients[k], half.products[k - 1], half.sizes[k - 1], half.factors[k],
                              half.dimensions[k], stride, half.gradients[k - 1], half.factor_gradients[k]);
        }
    }

    static void zero(T* numbers, Count count) {
        for (Count n = 0; n < count; ++n) numbers[n] = T(0);
    }

    static WIDE void pull_back_through(const T* gradient, const T* before, Count rows,
                                                            const T* factor, Count size, Count stride, T* to_before,
                                                            T* to_factor) {
        for (Count r = 0; r < stride; r += $width)
            for (Count i = 0; i < rows; ++i) {
                const X left = *(const X*)(before + i * stride + r);
                X sum = X(T(0));
                for (Count j = 0; j < size; ++j) {
                    const X slope = *(const X*)(gradient + (i * size + j) * stride + r);
                    X* const out = (X*)(to_factor + j * stride + r);
                    sum = __builtin_elementwise_fma(slope, *(const X*)(factor + j * stride + r), sum);
                    *out = __builtin_elementwise_fma(slope, left, *out);
                }
                *(X*)(to_before + i * stride + r) = sum;
            }
    }

    static void copy_out(const Half& half, const Count* targets, Count run, Count rank, Count stride) {
        for (int k = 0; k < half.modes; ++k) {
            T* target = (T*)targets[k] + run * half.dimensions[k] * rank;
            for (Count i = 0; i < half.dimensions[k]; ++i)
                __builtin_memcpy(target + i * rank, half.factor_gradients[k] + i * stride, rank * sizeof(T));
        }
    }

    static WIDE T dot(const T* left, const T* right, Count numbers) {
        S sum = S(T(0));
        for (Count n = 0; n < numbers; n += $sums)
            sum = __builtin_elementwise_fma(*(const S*)(left + n), *(const S*)(right + n), sum);
        for (int half = $sums / 2; half > 0; half /= 2)
            for (int n = 0; n < half; ++n) sum[n] = sum[n] + sum[n + half];
        return sum[0];
    }

    static WIDE void add(T times, const T* numbers, T* to, Count stride) {
        for (Count n = 0; n < stride; n += $width)
            *(X*)(to + n) = __builtin_elementwise_fma(X(times), *(const X*)(numbers + n), *(X*)(to + n));
    }
};

const Count* c = (const Count*)call;
const Count *dimensions = c + FIELDS, *gradients = dimensions + c[modes], *factors = gradients + c[modes];
const Count* steps = factors + c[modes];
const Count first = c[first_modes], rank_ = c[rank], stride_ = c[stride], p = c[rows], q = c[columns];
T* memory_ = (T*)c[memory];
const Count *starts_ = (const Count*)c[starts], *at_row = (const Count*)c[entry_rows];
const Count* at_column = (const Count*)c[entry_columns];
T* const entries = (T*)c[product] + (starts_ ? 0 : run * p * q);  // the product, or its gradient
const bool multiplies = c[part] != $pull_back, pulls_back = c[part] != $multiply;
const Count begin = starts_ ? starts_[run] : 0, end = starts_ ? starts_[run + 1] : p * q;
const Count at = starts_ ? begin : run * p * q;
Half left, right;
const int right_modes = c[modes] - first;
Code::build(left, first, true, dimensions, factors, steps, run, rank_, stride_, memory_);
Code::build(right, right_modes, starts_ != nullptr, dimensions + first, factors + first, steps + first, run, rank_,
            stride_, memory_);
const T* a = left.products[first - 1];
T *to_a = left.gradients[first - 1], *to_last = right.factor_gradients[right_modes - 1];
const T* b = right.products[right_modes - 1];
T* to_b = right.gradients[right_modes - 1];

// The rows of the last factor's product with one row before it, and their gradients, stay in the nearest cache.
const Count wide = c[row_stride], size = right.dimensions[right_modes - 1], blocks = starts_ ? 0 : q / size;
const T* last = right.factors[right_modes - 1];
T *block = nullptr, *to_block = nullptr, *transposed = nullptr, *out = nullptr;
if (!starts_) {
    block = Code::take(memory_, size * stride_), to_block = Code::take(memory_, size * stride_);
    transposed = Code::take(memory_, rank_ * wide), out = Code::take(memory_, size * wide);
}

if (multiplies && starts_)
    for (Count n = begin; n < end; ++n)
        entries[n] = Code::dot(a + at_row[n] * stride_, b + at_column[n] * stride_, stride_);
if (multiplies && !starts_)
    for (Count r = 0; r < rank_; ++r)
        for (Count i = 0; i < wide; ++i) transposed[r * wide + i] = i < p ? a[i * stride_ + r] : T(0);
for (Count n = 0; multiplies && n < blocks; ++n) {
    const T* before = right.products[right_modes > 1 ? right_modes - 2 : 0] + n * stride_;
    if (right_modes > 1) Code::multiply(before, 1, last, size, stride_, block);
    Code::product(size, wide, right_modes > 1 ? block : last, stride_, 1, rank_, transposed, wide, out, false);
    for (Count i = 0; i < p; ++i)
        for (Count j = 0; j < size; ++j) entries[n * size + i * q + j] = out[j * wide + i];
}

if (c[part] == $evaluate)
    ((T*)c[loss])[run] = Code::pull_at(entries + begin, (const T*)c[targets] + at, (const T*)c[weights] + at,
                                       end - begin, ((const T*)c[parameters])[run]);

if (pulls_back && starts_) {
    Code::zero(to_a, p * stride_);
    Code::zero(to_b, q * stride_);
    for (Count n = begin; n < end; ++n) {
        Code::add(entries[n], b + at_column[n] * stride_, to_a + at_row[n] * stride_, stride_);
        Code::add(entries[n], a + at_row[n] * stride_, to_b + at_column[n] * stride_, stride_);
    }
    Code::pull_back(right, right_modes, stride_);
}
if (pulls_back && !starts_) Code::zero(to_last, size * stride_);
for (Count n = 0; pulls_back && n < blocks; ++n) {
    T* const columns_ = entries + n * size;
    const T* before = right.products[right_modes > 1 ? right_modes - 2 : 0] + n * stride_;
    if (right_modes > 1) Code::multiply(before, 1, last, size, stride_, block);
    const T* rows_ = right_modes > 1 ? block : last;
    Code::product(p, stride_, columns_, q, 1, size, rows_, stride_, to_a, n > 0);
    Code::product(size, stride_, columns_, 1, q, p, a, stride_, right_modes > 1 ? to_block : to_last, false);
    if (right_modes > 1)
        Code::pull_back_through(to_block, before, 1, last, size, stride_,
                                right.gradients[right_modes - 2] + n * stride_, to_last);
}
if (pulls_back && !starts_) Code::pull_back(right, right_modes - 1, stride_);
if (pulls_back) {
    Code::pull_back(left, first, stride_);
    Code::copy_out(left, gradients, run, rank_, stride_);
    Code::copy_out(right, gradients + first, run, rank_, stride_);
}
"""


@lru_cache(maxsize=16)
def source(dtype: torch.dtype, vector: int, loss: FusedLoss = SQUARES.fused) -> str:
    """The code for numbers of a type, vectors of a length in bytes and a loss."""
    sums = PADDING_BYTES // dtype.itemsize
    return Template(SOURCE).substitute(
        scalar=SCALARS[dtype],
        item_bytes=dtype.itemsize,
        width=vector // dtype.itemsize,
        vector_bits=8 * vector,
        half=vector // dtype.itemsize // 2,
        sums=sums,
        objective=objectives.text(loss, PRECISIONS[dtype], sums),
        multiply=MULTIPLY,
        pull_back=PULL_BACK,
        evaluate=EVALUATE,
        most_modes=HIGHEST_ORDER,
        fields=", ".join(FIELDS),
        product=tiles.product(vector, dtype.itemsize),
    )
